import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { emitMask, reduceLanes } from './attention-rows.js';
import { prepareExponential, prepareLogarithm } from './attention-scalar.js';
import { type Integer, integers } from './integers.js';

type Index = Local<'i32'>;

/** The row maximum before any score is seen; -Infinity would make -Infinity - -Infinity. */
const lowestMaximum = -3.4028234663852886e38;

/** The state of a row that has seen no score: the largest score, and the sum of e^(score - largest), 4 bytes each. */
export function emitStartRow(f: FunctionBuilder, state: Integer): void {
  const i = integers(f);
  i.push(state);
  f.f32(lowestMaximum);
  f.store('f32.store');
  i.push(state);
  f.f32(0);
  f.store('f32.store', 4);
}

/**
 * Emits `softmaxRow(scores, hidden, visible, count, state, sums, sumBytes)`: takes one row of scores into an online
 * softmax. `count`, a multiple of 8, numbers at `scores` become e^(score - maximum); the first `hidden` and those from
 * number `visible` on become zero. At `state`
 * are the row's maximum and sum so far, at `sums` the `sumBytes` bytes of its weighted values so far: all are brought
 * to the new maximum. Source: Milakov and Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135.
 */
export function emitSoftmaxRow(module: ModuleBuilder, relaxed: boolean): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 7 }, () => 'i32' as const) });
  const p = f.named('scores', 'hidden', 'visible', 'count', 'state', 'sums', 'sumBytes');
  const { address, end } = f.locals('i32', 'address', 'end');
  const { old, largest, difference, total } = f.locals('v128', 'old', 'largest', 'difference', 'total');
  const i = integers(f);
  const exponential = prepareExponential(f, relaxed);
  emitMask(f, p.scores, 0, p.hidden, Number.NEGATIVE_INFINITY);
  emitMask(f, p.scores, p.visible, p.count, Number.NEGATIVE_INFINITY);
  f.get(p.state);
  f.load('v128.load32_splat');
  f.set(old);
  i.set(end, i.add(p.scores, i.multiply(p.count, 4)));
  emitLargest(f, p.scores, end, old, largest);
  f.f32x4(0);
  f.set(total);
  f.forAddresses(address, p.scores, end, 32, () => {
    for (const offset of [0, 16]) {
      f.get(address);
      f.load('v128.load', offset);
      f.get(largest);
      f.op('f32x4.sub');
      f.set(difference);
      const weight = exponential(difference);
      f.get(total, weight);
      f.op('f32x4.add');
      f.set(total);
      f.get(address, weight);
      f.store('v128.store', offset);
    }
  });
  f.get(old, largest);
  f.op('f32x4.sub');
  f.set(difference);
  emitCorrect(f, { ...p, largest, total, correction: exponential(difference) });
  return f;
}

/** largest = the largest number from `begin` to `end`, or in `old`, in every lane. */
function emitLargest(f: FunctionBuilder, begin: Index, end: Index, old: Local, largest: Local<'v128'>): void {
  const address = f.local('i32');
  f.get(old);
  f.set(largest);
  f.forAddresses(address, begin, end, 32, () => {
    for (const offset of [0, 16]) {
      f.get(largest, address);
      f.load('v128.load', offset);
      f.op('f32x4.pmax'); // several times faster than max; a NaN that it drops comes back with its weight
      f.set(largest);
    }
  });
  reduceLanes(f, largest, 'f32.max');
  f.op('f32x4.splat');
  f.set(largest);
}

interface Correction extends Readonly<Record<'state' | 'sums' | 'sumBytes', Index>> {
  readonly largest: Local;
  readonly total: Local<'v128'>;
  readonly correction: Local;
}

/** Writes the new state, and brings the sums so far to the new maximum. */
function emitCorrect(f: FunctionBuilder, { state, sums, sumBytes, largest, total, correction }: Correction): void {
  const { address, end } = f.locals('i32', 'address', 'end');
  const i = integers(f);
  f.get(state, largest);
  f.laneMemory('v128.store32_lane', 0);
  f.get(state, state);
  f.load('f32.load', 4);
  f.get(correction);
  f.lane('f32x4.extract_lane', 0);
  f.op('f32.mul');
  reduceLanes(f, total, 'f32.add');
  f.op('f32.add');
  f.store('f32.store', 4);
  i.set(end, i.add(sums, sumBytes));
  f.forAddresses(address, sums, end, 16, () => {
    f.get(address, address);
    f.load('v128.load');
    f.get(correction);
    f.op('f32x4.mul');
    f.store('v128.store');
  });
}

/**
 * Emits `finishRow(state, logSumExp)`: writes the row's log(sum(exp(scores))) and puts 1 / sum in the place of the sum,
 * or 0 where the row has seen no key.
 */
export function emitFinishRow(module: ModuleBuilder, relaxed: boolean): FunctionBuilder {
  const f = module.function({ parameters: ['i32', 'i32'] });
  const p = f.named('state', 'logSumExp');
  const logarithm = prepareLogarithm(f, relaxed);
  const total = f.local('f32');
  const vector = f.local('v128');
  f.get(p.state);
  f.load('f32.load', 4);
  f.tee(total);
  f.op('f64.promote_f32', 'f64x2.splat');
  f.set(vector);
  f.get(p.logSumExp, logarithm(vector));
  f.lane('f64x2.extract_lane', 0);
  f.get(p.state);
  f.load('f32.load');
  f.op('f64.promote_f32', 'f64.add', 'f32.demote_f64');
  f.store('f32.store');
  f.get(p.state);
  f.f32(1);
  f.get(total);
  f.op('f32.div');
  f.f32(0);
  f.get(total);
  f.f32(0);
  f.op('f32.ne', 'select');
  f.store('f32.store', 4);
  return f;
}
