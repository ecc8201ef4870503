import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { prepareExponential } from './attention-scalar.js';
import { type Integer, integers } from './integers.js';

type Index = Local<'i32'>;

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
export function reduceLanes(f: FunctionBuilder, vector: Local<'v128'>, op: 'f32.add' | 'f32.max'): void {
  for (let lane = 0; lane < 4; lane++) {
    f.get(vector);
    f.lane('f32x4.extract_lane', lane);
    if (lane % 2 === 1) f.op(op);
  }
  f.op(op);
}

/** Numbers `from` to `to` at `base` become `value`. */
export function emitMask(f: FunctionBuilder, base: Index, from: Integer, to: Index, value: number): void {
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
 * Emits `gradientRow(scores, gradients, hidden, visible, count, end, logSumExp, delta)`: scores become the weights
 * p = e^(score - log-sum-exp), and the gradients of the weights those of the scores, p * (gradient - delta). The
 * first `hidden` and numbers `visible` to `end` become zero; `count` is a multiple of 8.
 */
export function emitGradientRow(module: ModuleBuilder, relaxed: boolean): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 8 }, () => 'i32' as const) });
  const p = f.named('scores', 'gradients', 'hidden', 'visible', 'count', 'end', 'logSumExp', 'delta');
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
  for (const numbers of [p.scores, p.gradients]) {
    emitMask(f, numbers, 0, p.hidden, 0);
    emitMask(f, numbers, p.visible, p.end, 0);
  }
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
