import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
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

/**
 * Emits `copyRows(source, stride, rows, columns, factor, out, outLine, outRows)`: a matrix with contiguous rows, times
 * a factor (as float bits), as dense rows of `outLine` bytes; what the source lacks is zeros. Strides in bytes.
 */
export function emitCopyRows(module: ModuleBuilder): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 8 }, () => 'i32' as const) });
  const p = f.named('source', 'stride', 'rows', 'columns', 'factor', 'out', 'outLine', 'outRows');
  const { row, from, to, end } = f.locals('i32', 'row', 'from', 'to', 'end');
  const factor = f.local('v128');
  const i = integers(f);
  f.get(p.factor);
  f.op('i32x4.splat');
  f.set(factor);
  f.forRange(row, 0, p.rows, 1, () => {
    i.set(from, p.source);
    i.set(end, i.add(p.out, i.multiply(i.and(p.columns, -4), 4)));
    f.forAddresses(to, p.out, end, 16, () => {
      f.get(to, from);
      f.load('v128.load');
      f.get(factor);
      f.op('f32x4.mul');
      f.store('v128.store');
      i.advance(from, 16);
    });
    i.set(end, i.add(p.out, i.multiply(p.columns, 4)));
    f.forAddresses(to, to, end, 4, () => {
      f.get(to, from);
      f.load('v128.load32_zero');
      f.get(factor);
      f.op('f32x4.mul');
      f.laneMemory('v128.store32_lane', 0);
      i.advance(from, 4);
    });
    fillZero(f, to, i.subtract(i.add(p.out, p.outLine), to));
    i.advance(p.source, p.stride);
    i.advance(p.out, p.outLine);
  });
  fillZero(f, p.out, i.multiply(i.most(i.subtract(p.outRows, p.rows), 0), p.outLine));
  return f;
}

/** Fills `bytes` bytes from an address with zeros. */
export function fillZero(f: FunctionBuilder, address: Index, bytes: (() => void) | number): void {
  const i = integers(f);
  i.push(address);
  i.push(0);
  i.push(bytes);
  f.memoryFill();
}

/** One lane from four, combined by `op`, always in the same order. */
function reduceLanes(f: FunctionBuilder, vector: Local<'v128'>, op: 'f32.add' | 'f32.max'): void {
  for (let lane = 0; lane < 4; lane++) {
    f.get(vector);
    f.lane('f32x4.extract_lane', lane);
    if (lane % 2 === 1) f.op(op);
  }
  f.op(op);
}

/**
 * Emits `softmaxRow(scores, visible, count, state, sums, sumBytes)`: takes one row of scores into an online softmax.
 * `count`, a multiple of 8, numbers at `scores` become e^(score - maximum), from number `visible` on zero. At `state`
 * are the row's maximum and sum so far, at `sums` the `sumBytes` bytes of its weighted values so far: all are brought
 * to the new maximum. Source: Milakov and Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135.
 */
export function emitSoftmaxRow(module: ModuleBuilder, relaxed: boolean): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 6 }, () => 'i32' as const) });
  const p = f.named('scores', 'visible', 'count', 'state', 'sums', 'sumBytes');
  const { address, end } = f.locals('i32', 'address', 'end');
  const { vector, total, maximum } = f.locals('v128', 'vector', 'total', 'maximum');
  const old = f.local('f32');
  const i = integers(f);
  const exponential = prepareExponential(f, relaxed);
  emitMask(f, p.scores, p.visible, p.count, Number.NEGATIVE_INFINITY);
  f.get(p.state);
  f.load('f32.load');
  f.tee(old);
  f.op('f32x4.splat');
  f.set(maximum);
  i.set(end, i.add(p.scores, i.multiply(p.count, 4)));
  f.forAddresses(address, p.scores, end, 32, () => {
    for (const offset of [0, 16]) {
      f.get(maximum, address);
      f.load('v128.load', offset);
      f.op('f32x4.pmax'); // several times faster than max; a NaN that it drops comes back with its weight
      f.set(maximum);
    }
  });
  reduceLanes(f, maximum, 'f32.max');
  f.op('f32x4.splat');
  f.set(maximum);
  f.f32x4(0);
  f.set(total);
  f.forAddresses(address, p.scores, end, 32, () => {
    for (const offset of [0, 16]) {
      f.get(address);
      f.load('v128.load', offset);
      f.get(maximum);
      f.op('f32x4.sub');
      f.set(vector);
      const weight = exponential(vector);
      f.get(total, weight);
      f.op('f32x4.add');
      f.set(total);
      f.get(address, weight);
      f.store('v128.store', offset);
    }
  });
  f.get(old);
  f.op('f32x4.splat');
  f.get(maximum);
  f.op('f32x4.sub');
  f.set(vector);
  const correction = exponential(vector);
  f.get(p.state, maximum);
  f.laneMemory('v128.store32_lane', 0);
  f.get(p.state, p.state);
  f.load('f32.load', 4);
  f.get(correction);
  f.lane('f32x4.extract_lane', 0);
  f.op('f32.mul');
  reduceLanes(f, total, 'f32.add');
  f.op('f32.add');
  f.store('f32.store', 4);
  i.set(end, i.add(p.sums, p.sumBytes));
  f.forAddresses(address, p.sums, end, 16, () => {
    f.get(address, address);
    f.load('v128.load');
    f.get(correction);
    f.op('f32x4.mul');
    f.store('v128.store');
  });
  return f;
}

/** Numbers `from` to `to` at `base` become `value`. */
export function emitMask(f: FunctionBuilder, base: Index, from: Index, to: Index, value: number): void {
  const { address, end } = f.locals('i32', 'address', 'end');
  const i = integers(f);
  i.set(address, i.add(base, i.multiply(from, 4)));
  i.set(end, i.add(base, i.multiply(to, 4)));
  f.forAddresses(address, address, end, 4, () => {
    f.get(address);
    f.f32(value);
    f.store('f32.store');
  });
}

/**
 * Emits `gradientRow(scores, gradients, visible, count, end, logSumExp, delta)`: scores become the weights
 * p = e^(score - log-sum-exp), and the gradients of the weights those of the scores, p * (gradient - delta). Numbers
 * `visible` to `end` become zero; `count` is a multiple of 8.
 */
export function emitGradientRow(module: ModuleBuilder, relaxed: boolean): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 7 }, () => 'i32' as const) });
  const p = f.named('scores', 'gradients', 'visible', 'count', 'end', 'logSumExp', 'delta');
  const { address, other, last } = f.locals('i32', 'address', 'other', 'last');
  const { vector, logSumExp, delta } = f.locals('v128', 'vector', 'logSumExp', 'delta');
  const i = integers(f);
  const exponential = prepareExponential(f, relaxed);
  for (const [local, pointer] of [
    [logSumExp, p.logSumExp],
    [delta, p.delta],
  ] as const) {
    f.get(pointer);
    f.load('v128.load32_splat');
    f.set(local);
  }
  i.set(last, i.add(p.scores, i.multiply(p.count, 4)));
  i.set(other, p.gradients);
  f.forAddresses(address, p.scores, last, 32, () => {
    for (const offset of [0, 16]) {
      f.get(address);
      f.load('v128.load', offset);
      f.get(logSumExp);
      f.op('f32x4.sub');
      f.set(vector);
      const weight = exponential(vector);
      f.get(address, weight);
      f.store('v128.store', offset);
      f.get(other, other);
      f.load('v128.load', offset);
      f.get(delta);
      f.op('f32x4.sub');
      f.get(weight);
      f.op('f32x4.mul');
      f.store('v128.store', offset);
    }
    i.advance(other, 32);
  });
  emitMask(f, p.scores, p.visible, p.end, 0);
  emitMask(f, p.gradients, p.visible, p.end, 0);
  return f;
}

/** Emits `dotRow(left, right, count, out)`: the sum of left[i] * right[i], to `out`. */
export function emitDotRow(module: ModuleBuilder): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 4 }, () => 'i32' as const) });
  const p = f.named('left', 'right', 'count', 'out');
  const end = f.local('i32');
  const sum = f.local('v128');
  const i = integers(f);
  const step = (load: 'v128.load' | 'v128.load32_zero', bytes: number) => () => {
    f.get(sum, p.left);
    f.load(load);
    f.get(p.right);
    f.load(load);
    f.op('f32x4.mul', 'f32x4.add');
    f.set(sum);
    i.advance(p.right, bytes);
  };
  i.set(end, i.add(p.left, i.multiply(i.and(p.count, -4), 4)));
  i.set(p.count, i.add(p.left, i.multiply(p.count, 4)));
  f.forAddresses(p.left, p.left, end, 16, step('v128.load', 16));
  f.forAddresses(p.left, p.left, p.count, 4, step('v128.load32_zero', 4));
  i.push(p.out);
  reduceLanes(f, sum, 'f32.add');
  f.store('f32.store');
  return f;
}
