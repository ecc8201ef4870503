import { expect, test } from 'vitest';
import type { PlainOp, ValueType } from '../../../src/devices/wasm/opcodes.js';
import { plainOps, vectorOps } from '../../../src/devices/wasm/opcodes.js';
import { build } from './tiny-module.js';

/** Applies a vector instruction to operands in memory and returns its 16 bytes as `view` reads them. */
function vectorResult(op: PlainOp, operands: readonly ArrayBufferView<ArrayBuffer>[]): ArrayBuffer {
  const { run, memory } = build((f) => {
    f.i32(256);
    operands.forEach((_, position) => {
      f.i32(16 * position);
      f.load('v128.load');
    });
    f.op(op);
    f.store('v128.store');
  });
  operands.forEach((operand, position) => {
    new Uint8Array(memory.buffer).set(new Uint8Array(operand.buffer), 16 * position);
  });
  run();
  return memory.buffer.slice(256, 272) as ArrayBuffer;
}

const a = 12.75;
const b = -3.5;
const i = 1000;
const j = -7;
const scalar: [PlainOp, ValueType, readonly number[], ValueType, number][] = [
  ['i32.add', 'i32', [i, j], 'i32', i + j],
  ['i32.sub', 'i32', [i, j], 'i32', i - j],
  ['i32.mul', 'i32', [i, j], 'i32', i * j],
  ['i32.div_s', 'i32', [i, j], 'i32', -142],
  ['i32.rem_s', 'i32', [i, j], 'i32', 6],
  ['i32.and', 'i32', [i, j], 'i32', i & j],
  ['i32.or', 'i32', [i, j], 'i32', i | j],
  ['i32.xor', 'i32', [i, j], 'i32', i ^ j],
  ['i32.shl', 'i32', [i, 3], 'i32', i << 3],
  ['i32.shr_s', 'i32', [j, 1], 'i32', j >> 1],
  ['i32.shr_u', 'i32', [j, 28], 'i32', j >>> 28],
  ['i32.lt_s', 'i32', [i, j], 'i32', 0],
  ['i32.lt_u', 'i32', [i, j], 'i32', 1],
  ['i32.gt_s', 'i32', [i, j], 'i32', 1],
  ['i32.ge_u', 'i32', [i, j], 'i32', 0],
  ['i32.eqz', 'i32', [0], 'i32', 1],
  ['i32.clz', 'i32', [i], 'i32', Math.clz32(i)],
  ['f32.add', 'f32', [a, b], 'f32', a + b],
  ['f32.sub', 'f32', [a, b], 'f32', a - b],
  ['f32.mul', 'f32', [a, b], 'f32', a * b],
  ['f32.div', 'f32', [a, b], 'f32', Math.fround(a / b)],
  ['f32.min', 'f32', [a, b], 'f32', b],
  ['f32.max', 'f32', [a, b], 'f32', a],
  ['f32.copysign', 'f32', [a, b], 'f32', -a],
  ['f32.sqrt', 'f32', [a], 'f32', Math.fround(Math.sqrt(a))],
  ['f64.abs', 'f64', [b], 'f64', -b],
  ['f64.neg', 'f64', [b], 'f64', -b],
  ['f64.ceil', 'f64', [a], 'f64', 13],
  ['f64.floor', 'f64', [a], 'f64', 12],
  ['f64.trunc', 'f64', [b], 'f64', -3],
  ['f64.nearest', 'f64', [2.5], 'f64', 2],
  ['f64.sqrt', 'f64', [a], 'f64', Math.sqrt(a)],
  ['f64.add', 'f64', [a, b], 'f64', a + b],
  ['f64.sub', 'f64', [a, b], 'f64', a - b],
  ['f64.mul', 'f64', [a, b], 'f64', a * b],
  ['f64.div', 'f64', [a, b], 'f64', a / b],
  ['f64.min', 'f64', [a, b], 'f64', b],
  ['f64.max', 'f64', [a, b], 'f64', a],
  ['f64.copysign', 'f64', [a, b], 'f64', -a],
  ['f64.lt', 'f64', [a, b], 'i32', 0],
  ['f64.ge', 'f64', [a, b], 'i32', 1],
  ['f32.demote_f64', 'f64', [Math.PI], 'f32', Math.fround(Math.PI)],
  ['f64.promote_f32', 'f32', [a], 'f64', a],
  ['f64.convert_i32_s', 'i32', [j], 'f64', j],
  ['f64.convert_i32_u', 'i32', [j], 'f64', 2 ** 32 + j],
  ['f32.convert_i32_s', 'i32', [j], 'f32', j],
  ['i32.trunc_sat_f64_s', 'f64', [1e20], 'i32', 2 ** 31 - 1],
  ['i32.trunc_sat_f32_s', 'f32', [b], 'i32', -3],
  ['i32.reinterpret_f32', 'f32', [1], 'i32', 0x3f80_0000],
  ['f32.reinterpret_i32', 'i32', [0x3f80_0000], 'f32', 1],
];
test.each(scalar)('%s computes what its name says', (op, type, operands, result, expected) => {
  const { run } = build(
    (f) => {
      f.get(...f.parameters);
      f.op(op);
    },
    operands.map(() => type),
    [result],
  );
  expect(run(...operands)).toBe(expected);
});

const x = Float32Array.of(12.75, -3.5, 0.3, 1e10);
const y = Float32Array.of(2, 5.25, -0.7, 3);
const float32: [PlainOp, (x: number, y: number) => number, number][] = [
  ['f32x4.add', (p, q) => p + q, 2],
  ['f32x4.sub', (p, q) => p - q, 2],
  ['f32x4.mul', (p, q) => p * q, 2],
  ['f32x4.div', (p, q) => p / q, 2],
  ['f32x4.min', Math.min, 2],
  ['f32x4.max', Math.max, 2],
  ['f32x4.pmin', Math.min, 2],
  ['f32x4.pmax', Math.max, 2],
  ['f32x4.abs', Math.abs, 1],
  ['f32x4.neg', (p) => -p, 1],
  ['f32x4.ceil', Math.ceil, 1],
  ['f32x4.floor', Math.floor, 1],
  ['f32x4.trunc', Math.trunc, 1],
  ['f32x4.nearest', (p) => (p === 12.75 ? 13 : p === -3.5 ? -4 : Math.round(p)), 1],
];
test.each(float32)('%s computes every lane', (op, evaluate, count) => {
  const got = new Float32Array(vectorResult(op, [x, y].slice(0, count)));
  expect(got).toEqual(x.map((value, lane) => evaluate(value, y[lane] ?? 0)));
});

const u = Float64Array.of(12.75, -3.5);
const v = Float64Array.of(2, 5.25);
const float64: [PlainOp, (x: number, y: number) => number, number][] = [
  ['f64x2.add', (p, q) => p + q, 2],
  ['f64x2.sub', (p, q) => p - q, 2],
  ['f64x2.mul', (p, q) => p * q, 2],
  ['f64x2.div', (p, q) => p / q, 2],
  ['f64x2.min', Math.min, 2],
  ['f64x2.max', Math.max, 2],
  ['f64x2.abs', Math.abs, 1],
  ['f64x2.neg', (p) => -p, 1],
  ['f64x2.ceil', Math.ceil, 1],
  ['f64x2.floor', Math.floor, 1],
  ['f64x2.trunc', Math.trunc, 1],
  ['f64x2.nearest', (p) => (p === 12.75 ? 13 : -4), 1],
  ['f64x2.sqrt', Math.sqrt, 1],
];
test.each(float64)('%s computes both lanes', (op, evaluate, count) => {
  const got = new Float64Array(vectorResult(op, [u, v].slice(0, count)));
  expect(got).toEqual(u.map((value, lane) => evaluate(value, v[lane] ?? 0)));
});

const p = Int32Array.of(1000, -7, 2 ** 31 - 1, 0);
const q = Int32Array.of(-3, -7, 5, 1);
const yes = (value: boolean) => (value ? -1 : 0);
const integer: [PlainOp, (x: number, y: number) => number, number][] = [
  ['i32x4.add', (m, n) => (m + n) | 0, 2],
  ['i32x4.sub', (m, n) => (m - n) | 0, 2],
  ['i32x4.mul', Math.imul, 2],
  ['i32x4.eq', (m, n) => yes(m === n), 2],
  ['i32x4.ne', (m, n) => yes(m !== n), 2],
  ['i32x4.lt_s', (m, n) => yes(m < n), 2],
  ['i32x4.gt_s', (m, n) => yes(m > n), 2],
  ['i32x4.le_s', (m, n) => yes(m <= n), 2],
  ['i32x4.ge_s', (m, n) => yes(m >= n), 2],
  ['i32x4.gt_u', (m, n) => yes(m >>> 0 > n >>> 0), 2],
  ['i32x4.min_s', Math.min, 2],
  ['i32x4.max_s', Math.max, 2],
  ['i32x4.abs', Math.abs, 1],
  ['i32x4.neg', (m) => -m | 0, 1],
  ['v128.and', (m, n) => m & n, 2],
  ['v128.or', (m, n) => m | n, 2],
  ['v128.xor', (m, n) => m ^ n, 2],
  ['v128.andnot', (m, n) => m & ~n, 2],
  ['v128.not', (m) => ~m, 1],
];
test.each(integer)('%s computes every lane', (op, evaluate, count) => {
  const got = new Int32Array(vectorResult(op, [p, q].slice(0, count)));
  expect(got).toEqual(p.map((value, lane) => evaluate(value, q[lane] ?? 0)));
});

test('conversions between lanes of different widths', () => {
  expect(new Float64Array(vectorResult('f64x2.promote_low_f32x4', [x]))).toEqual(Float64Array.from(x.slice(0, 2)));
  expect(new Float32Array(vectorResult('f32x4.demote_f64x2_zero', [u]))).toEqual(Float32Array.of(12.75, -3.5, 0, 0));
  expect(new Float64Array(vectorResult('f64x2.convert_low_i32x4_s', [p]))).toEqual(Float64Array.of(1000, -7));
  expect(new Int32Array(vectorResult('i32x4.trunc_sat_f64x2_s_zero', [u]))).toEqual(Int32Array.of(12, -3, 0, 0));
  expect(new Int32Array(vectorResult('i32x4.trunc_sat_f32x4_s', [x]))).toEqual(Int32Array.of(12, -3, 0, 2 ** 31 - 1));
  expect(new Float32Array(vectorResult('f32x4.convert_i32x4_s', [q]))).toEqual(Float32Array.of(-3, -7, 5, 1));
  expect(new BigInt64Array(vectorResult('i64x2.extend_low_i32x4_s', [p]))).toEqual(BigInt64Array.of(1000n, -7n));
  expect(new BigInt64Array(vectorResult('i64x2.extend_high_i32x4_u', [p]))).toEqual(
    BigInt64Array.of(2n ** 31n - 1n, 0n),
  );
});

test('comparisons of floats give masks, and bitselect chooses by them', () => {
  const expectMask = (op: PlainOp, mask: number[]) =>
    expect([...new Int32Array(vectorResult(op, [x, y]))]).toEqual(mask);
  expectMask('f32x4.lt', [0, -1, 0, 0]);
  expectMask('f32x4.ge', [-1, 0, -1, -1]);
  expectMask('f32x4.ne', [-1, -1, -1, -1]);
  expect([...new BigInt64Array(vectorResult('f64x2.gt', [u, v]))]).toEqual([-1n, 0n]);
  const mask = Int32Array.of(-1, 0, -1, 0);
  expect(new Int32Array(vectorResult('v128.bitselect', [p, q, mask]))).toEqual(Int32Array.of(1000, -7, 2 ** 31 - 1, 1));
});

test('every instruction without immediates is one that the engine knows', () => {
  // An unknown opcode is refused as such; a wrong type on the stack is another complaint.
  for (const op of [...Object.keys(plainOps), ...Object.keys(vectorOps)] as PlainOp[]) {
    if (op.includes('relaxed')) continue;
    let complaint = '';
    try {
      build((f) => {
        f.op('unreachable', op);
        f.op('unreachable');
      });
    } catch (error) {
      complaint = String(error);
    }
    expect(complaint, op).toBe('');
  }
});
