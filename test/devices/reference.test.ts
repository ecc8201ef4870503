import { expect, test } from 'vitest';
import { randomKey, randomNormal, randomUniform } from '../../src/base/random.js';
import type { Device, StorageType, View } from '../../src/devices/device.js';
import { openReference } from '../../src/devices/reference/index.js';
import type { AttentionShape } from '../../src/kernels/attention.js';
import { columnKernel, mapKernel, rowKernel } from '../../src/kernels/kernel.js';
import { variable } from '../../src/scalar/expression.js';

const device: Device = await openReference();

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

function packed(shape: readonly number[], values?: readonly number[], type: StorageType = 'float32'): View {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const view = { buffer: device.allocate(type, sizeOf(shape)), offset: 0, shape, strides };
  if (values !== undefined) device.write(values, view);
  return view;
}

const read = async (view: View): Promise<number[]> => Array.from(await device.read(view));

const [x, y, s, g] = [variable('x'), variable('y'), variable('s'), variable('g')];

test('a map reads repeated and strided views, takes scalars and gives several outputs', async () => {
  const matrix = packed([2, 3], [1, 2, 3, 4, 5, 6]);
  const transposed = { ...matrix, shape: [3, 2], strides: [1, 3] };
  const row = { ...packed([2], [10, 20]), shape: [3, 2], strides: [0, 1] };
  const [sum, product] = [packed([3, 2]), packed([3, 2])];
  const kernel = mapKernel({ inputs: ['x', 'y'], scalars: ['s'], outputs: [x.add(y).add(s), x.mul(y)] });
  device.map(kernel, [transposed, row], [0.5], [sum, product]);
  expect(await read(sum)).toEqual([11.5, 24.5, 12.5, 25.5, 13.5, 26.5]);
  expect(await read(product)).toEqual([10, 80, 20, 100, 30, 120]);
});

test('a map may write over an input, and writes only the window given', async () => {
  const whole = packed([4], [1, 2, 3, 4]);
  const middle = { ...whole, offset: 1, shape: [2] };
  device.map(mapKernel({ inputs: ['x'], scalars: [], outputs: [x.mul(x)] }), [middle], [], [middle]);
  expect(await read(whole)).toEqual([1, 4, 9, 4]);
});

test('int32 buffers hold whole numbers', async () => {
  const indices = packed([3], [3, -100, 2 ** 30], 'int32');
  const copy = packed([3], undefined, 'int32');
  device.map(mapKernel({ inputs: ['x'], scalars: [], outputs: [x] }), [indices], [], [copy]);
  expect(await device.read(copy)).toEqual(Int32Array.from([3, -100, 2 ** 30]));
});

test('a row kernel mixes elements, columns, rows, scalars, position and length, and tells outputs of a row from those of elements', async () => {
  const elements = packed([2, 3], [1, 2, 3, 4, 5, 6]);
  const outputs = [packed([2, 3]), packed([2]), packed([2])];
  const kernel = rowKernel({
    elements: ['x'],
    columns: ['y'],
    rows: ['g'],
    scalars: ['s'],
    outputs: [
      x
        .sub(x.sum().div(variable('length')))
        .mul(y)
        .add(g),
      x.mul(variable('position')).sum().add(s),
      x.maximum().add(g),
    ],
  });
  const operands = { rows: 2, length: 3, elements: [elements], columns: [packed([3], [1, 10, 100])], outputs };
  device.row(kernel, { ...operands, perRow: [packed([2], [0.5, -0.5])], scalars: [7] });
  expect(await Promise.all(outputs.map(read))).toEqual([
    [-0.5, 0.5, 100.5, -1.5, -0.5, 99.5],
    [15, 24],
    [3.5, 5.5],
  ]);
});

test('a row kernel may overwrite an element operand that lies in wider rows', async () => {
  const wide = packed([2, 4], [1, 2, 9, 9, 3, 4, 9, 9]);
  const left = { ...wide, shape: [2, 2] };
  const kernel = rowKernel({ elements: ['x'], outputs: [x.div(x.sum())] });
  device.row(kernel, { rows: 2, length: 2, elements: [left], columns: [], perRow: [], scalars: [], outputs: [left] });
  expect(await read(wide)).toEqual([1 / 3, 2 / 3, 9, 9, 3 / 7, 4 / 7, 9, 9]);
});

test('a column kernel sums over rows, anew or onto what is there', async () => {
  const output = packed([2], [100, 200]);
  const kernel = columnKernel({ elements: ['x'], rows: ['g'], outputs: [x.mul(g)] });
  const elements = [packed([3, 2], [1, 2, 3, 4, 5, 6])];
  const operands = { rows: 3, length: 2, elements, columns: [], perRow: [packed([3], [1, 10, 100])], scalars: [] };
  device.column(kernel, { ...operands, outputs: [output] }, true);
  expect(await read(output)).toEqual([631, 842]);
  device.column(kernel, { ...operands, outputs: [output] }, false);
  expect(await read(output)).toEqual([531, 642]);
});

test('matmul takes transposed, repeated and accumulating operands', async () => {
  const a = { ...packed([3, 2], [1, 2, 3, 4, 5, 6]), shape: [2, 2, 3], strides: [0, 1, 2] };
  const b = packed([2, 3, 1], [1, 2, 3, 4, 5, 6]);
  const c = packed([2, 2, 1]);
  device.matmul(a, b, c, false);
  expect(await read(c)).toEqual([22, 28, 49, 64]);
  device.matmul(a, b, c, true);
  expect(await read(c)).toEqual([44, 56, 98, 128]);
});

const shape: AttentionShape = {
  batch: 2,
  queryLength: 2,
  keyLength: 3,
  heads: 4,
  keyValueHeads: 2,
  headDim: 2,
  causal: true,
  scale: 0.7,
};
const wave = (count: number, seed: number): number[] => Array.from({ length: count }, (_, i) => Math.sin(seed + 3 * i));

function attentionViews() {
  const query = packed([2, 2, 4, 2], wave(32, 1));
  const [key, value] = [packed([2, 3, 2, 2], wave(24, 2)), packed([2, 3, 2, 2], wave(24, 5))];
  return { query, key, value, output: packed([2, 2, 4, 2]), logSumExp: packed([2, 4, 2]) };
}

test('attention weighs the visible keys by softmax, with heads in groups and queries aligned at the end', async () => {
  const views = attentionViews();
  device.attention(shape, views);
  const [q, k, v] = await Promise.all([views.query, views.key, views.value].map(read));
  const at = (values: number[] | undefined, ...indices: [number, number, number, number, number, number]): number => {
    const [z, i, h, d, time, heads] = indices;
    return values?.[((z * time + i) * heads + h) * 2 + d] ?? Number.NaN;
  };
  const expected: number[] = [];
  const sums: number[] = [];
  for (const z of [0, 1]) {
    for (const i of [0, 1]) {
      for (const h of [0, 1, 2, 3]) {
        const kv = h < 2 ? 0 : 1;
        const score = (j: number): number =>
          0.7 * [0, 1].reduce((sum, d) => sum + at(q, z, i, h, d, 2, 4) * at(k, z, j, kv, d, 3, 2), 0);
        const weights = [0, 1, 2].slice(0, i + 2).map((j) => Math.exp(score(j)));
        const total = weights.reduce((a, b) => a + b);
        sums[(z * 4 + h) * 2 + i] = Math.log(total);
        for (const d of [0, 1]) {
          expected.push(weights.reduce((sum, weight, j) => sum + (weight / total) * at(v, z, j, kv, d, 3, 2), 0));
        }
      }
    }
  }
  for (const [i, value] of (await read(views.output)).entries()) expect(value).toBeCloseTo(expected[i] ?? 0, 12);
  for (const [i, value] of (await read(views.logSumExp)).entries()) expect(value).toBeCloseTo(sums[i] ?? 0, 12);
});

test.each([true, false])('gradients of attention agree with central differences, causal %s', async (causal) => {
  const views = attentionViews();
  const withMask = { ...shape, causal };
  const weights = wave(32, 9);
  const loss = async (): Promise<number> => {
    device.attention(withMask, views);
    return (await read(views.output)).reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0);
  };
  await loss();
  const gradients = {
    output: packed([2, 2, 4, 2], weights),
    query: packed([2, 2, 4, 2]),
    key: packed([2, 3, 2, 2]),
    value: packed([2, 3, 2, 2]),
  };
  device.attentionGradient(withMask, views, gradients);
  for (const name of ['query', 'key', 'value'] as const) {
    const values = await read(views[name]);
    const exact = await read(gradients[name]);
    for (const [i, value] of values.entries()) {
      const [above, below] = [values.with(i, value + 1e-5), values.with(i, value - 1e-5)];
      device.write(above, views[name]);
      const high = await loss();
      device.write(below, views[name]);
      const low = await loss();
      device.write(values, views[name]);
      expect((high - low) / 2e-5).toBeCloseTo(exact[i] ?? Number.NaN, 7);
    }
  }
});

test('gather copies rows by index; scatterAdd adds to rows, once for each mention', async () => {
  const table = packed([3, 2], [1, 2, 3, 4, 5, 6]);
  const indices = packed([4], [2, 0, 2, 1], 'int32');
  const rows = packed([4, 2]);
  device.gather(table, indices, rows);
  expect(await read(rows)).toEqual([5, 6, 1, 2, 5, 6, 3, 4]);
  device.scatterAdd(rows, indices, table);
  expect(await read(table)).toEqual([2, 4, 6, 8, 15, 18]);
});

test.each([3, -1])('an index out of the table is refused: %i', (index) => {
  const [table, indices, output] = [packed([3, 1], [1, 2, 3]), packed([1], [index], 'int32'), packed([1, 1])];
  expect(() => device.gather(table, indices, output)).toThrow(`0 to 2, received ${index}`);
});

test('random values depend on the key and the index alone', async () => {
  const key = randomKey(3, 'noise', 5);
  for (const [distribution, draw] of [
    ['uniform', randomUniform],
    ['normal', randomNormal],
  ] as const) {
    const output = packed([5]);
    device.random(distribution, key, output);
    expect(await read(output)).toEqual([0, 1, 2, 3, 4].map((i) => draw(key, i)));
  }
});

test('normal values have mean 0, variance 1 and no correlation between neighbours', async () => {
  const output = packed([20_000]);
  device.random('normal', randomKey(1, 'noise'), output);
  const values = await read(output);
  const mean = (of: readonly number[]): number => of.reduce((sum, value) => sum + value, 0) / of.length;
  expect(Math.abs(mean(values))).toBeLessThan(0.03);
  expect(Math.abs(mean(values.map((value) => value * value)) - 1)).toBeLessThan(0.05);
  expect(Math.abs(mean(values.slice(1).map((value, i) => value * (values[i] ?? 0))))).toBeLessThan(0.03);
});

test('memory is counted, reused by size, and read as NaN before it is written', async () => {
  const own = await openReference();
  const first = own.allocate('float32', 100);
  own.free(first);
  const second = own.allocate('float32', 100);
  expect(second).toBe(first);
  own.allocate('int32', 10);
  expect(own.memory()).toEqual({ liveBytes: 840, peakBytes: 840, reservedBytes: 840 });
  own.free(second);
  expect(own.memory()).toEqual({ liveBytes: 40, peakBytes: 840, reservedBytes: 840 });
  const third = own.allocate('float32', 100);
  expect(await own.read({ buffer: third, offset: 99, shape: [], strides: [] })).toEqual(Float64Array.of(Number.NaN));
});

test('freeing twice and using the buffer of another device are refused', async () => {
  const own = await openReference();
  const buffer = own.allocate('float32', 1);
  own.free(buffer);
  expect(() => own.free(buffer)).toThrow('freed once');
  const foreign = { type: 'float32', length: 1, bytes: 4 } as const;
  expect(() => own.write([1], { buffer: foreign, offset: 0, shape: [1], strides: [1] })).toThrow('device that made it');
});

test('a closed device allocates nothing', async () => {
  const own = await openReference();
  await own.close();
  expect(() => own.allocate('float32', 1)).toThrow('before close()');
});
