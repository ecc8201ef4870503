import { describe, expect, test } from 'vitest';
import { randomKey } from '../../src/base/random.js';
import { openReference } from '../../src/devices/reference/index.js';
import { variable } from '../../src/scalar/expression.js';
import {
  attention,
  concat,
  full,
  mapInto,
  mapJoined,
  mapTensors,
  ones,
  rand,
  randn,
  rowTensors,
  stack,
  type Tensor,
  tensor,
  zeros,
} from '../../src/tensor/index.js';
import { crossEntropy } from '../../src/training/losses.js';
import { devices, onDevices } from './devices.js';

const [a, b] = [variable('a'), variable('b')];

onDevices((on) => {
  const whole = (shape: readonly number[]): Tensor => full(on.device, shape, 1, { dtype: 'int32' });
  const float = (shape: readonly number[]): Tensor => ones(on.device, shape);
  const heads = [1, 2, 1, 2];

  test.each<[string, string, () => unknown]>([
    ['the left of matmul', 'matmul', () => whole([2, 3]).matmul(float([3, 2]))],
    ['the right of matmul', 'matmul', () => float([2, 3]).matmul(whole([3, 2]))],
    ['a query', 'attention', () => attention(whole(heads), float(heads), float(heads))],
    ['a key', 'attention', () => attention(float(heads), whole(heads), float(heads))],
    ['a value', 'attention', () => attention(float(heads), float(heads), whole(heads))],
    ['a method', 'tanh', () => whole([2]).tanh()],
    ['an operand of a method', 'mul', () => float([2]).mul(whole([2]))],
    ['a power', 'pow', () => whole([2]).pow(2)],
    ['a map', 'map', () => whole([2]).map((x) => x.exp())],
    ['mapTensors', 'clip', () => mapTensors([a.add(b)], { a: float([2]), b: whole([2]) }, {}, { operation: 'clip' })],
    ['mapJoined', 'map', () => mapJoined([a, a], { a: whole([2]) }, 0)],
    ['a target of mapInto', 'mapInto', () => mapInto([a], [whole([2])], { a: float([2]) })],
    ['an input of mapInto', 'mapInto', () => mapInto([a], [float([2])], { a: whole([2]) })],
    ['elements of rows', 'row', () => rowTensors([a.div(a.sum())], { elements: { a: whole([2, 3]) } })],
    [
      'columns of rows',
      'row',
      () => rowTensors([a.mul(b)], { elements: { a: float([2, 3]) }, columns: { b: whole([3]) } }),
    ],
    ['a softmax', 'softmax', () => whole([2, 3]).softmax()],
    ['a sum', 'sum', () => whole([2, 3]).sum()],
    ['a mean', 'mean', () => whole([2, 3]).mean(0)],
    ['an amax', 'amax', () => whole([2, 3]).amax()],
    ['a table of gather', 'gather', () => whole([3, 2]).gather(whole([2]))],
  ])('int32 is refused as %s, by the name of the operation', (_, operation, use) => {
    expect(use).toThrow(
      expect.objectContaining({
        code: 'argument',
        message: expect.stringMatching(
          new RegExp(`^${operation} computes with float32 tensors, received "int32 \\[.*\\]".*dtype 'float32'`),
        ),
      }),
    );
  });

  test.each<[string, RegExp, () => unknown]>([
    [
      'indices of gather',
      /^gather takes int32 indices, received "float32 \[2\]".*Int32Array/,
      () => float([3, 2]).gather(float([2])),
    ],
    [
      'targets of crossEntropy',
      /^crossEntropy takes int32 targets, received "float32 \[2\]".*Int32Array/,
      () => crossEntropy(float([2, 3]), float([2])),
    ],
  ])('float32 is refused as %s', (_, message, use) => {
    expect(use).toThrow(expect.objectContaining({ code: 'argument', message: expect.stringMatching(message) }));
  });

  test('backward() takes a gradient of floats on its own device', async () => {
    const result = full(on.device, [2], 1, { requiresGrad: true }).mul(2);
    expect(() => result.backward(whole([2]))).toThrow('backward computes with float32 tensors');
    const other = tensor(await openReference(), [1, 2]);
    expect(() => result.backward(other)).toThrow('backward takes tensors of one device');
  });

  test('int32 may be viewed, joined, copied, written and the targets of rows', async () => {
    const ids = tensor(on.device, Int32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
    const values = async (x: Tensor): Promise<readonly unknown[]> => [x.dtype, ...(await x.toArray())];
    expect(await values(ids.transpose(0, 1).contiguous())).toEqual(['int32', 1, 4, 2, 5, 3, 6]);
    expect(await values(concat([ids, ids.slice(0, 0, 1)]))).toEqual(['int32', 1, 2, 3, 4, 5, 6, 1, 2, 3]);
    expect(await values(stack([ids.select(0, 0), ids.select(0, 1)], 1))).toEqual(['int32', 1, 4, 2, 5, 3, 6]);
    expect(await values(zeros(on.device, [3], { dtype: 'int32' }).write(ids.select(0, 1)))).toEqual(['int32', 4, 5, 6]);
    expect(crossEntropy(float([3, 9]), ids.select(0, 0)).shape).toEqual([3]);
  });

  test('writing converts between the two, as the remedy says', async () => {
    const ids = tensor(on.device, Int32Array.of(3, -100, 2 ** 24));
    await on.expectValues(zeros(on.device, [3]).write(ids).mul(2), [3], [6, -200, 2 ** 25]);
  });

  test('concat takes one type, and names both', () => {
    expect(() => concat([whole([2]), float([2])])).toThrow('one dtype, received ["int32", "float32"]');
  });

  test('random tensors are float32, and say so', () => {
    const key = randomKey(1, 'noise');
    for (const [name, make] of Object.entries({ rand, randn })) {
      expect(make(on.device, [2], key, { dtype: 'float32' }).dtype).toBe('float32');
      expect(() => make(on.device, [2], key, { dtype: 'int32' })).toThrow(
        `${name} draws float32 numbers, received "int32". Leave dtype out`,
      );
    }
  });

  test('a type that is not there is refused with the nearest', () => {
    const dtype = 'int64' as 'int32';
    expect(() => zeros(on.device, [2], { dtype })).toThrow(
      expect.objectContaining({
        code: 'name',
        message: expect.stringContaining('one of float32, int32, received "int64". Did you mean "int32"?'),
      }),
    );
  });
});

describe.each(devices)('after close(), $name', ({ name, open }) => {
  test('answers every use of it or its tensors with one error', async () => {
    const device = await open();
    const [x, ids] = [ones(device, [2, 2]), tensor(device, Int32Array.of(0, 1))];
    await device.close();
    const closed = { code: 'device', rule: `the ${name} device is used before close()` };
    const uses: readonly (() => unknown)[] = [
      () => ones(device, [2]),
      () => x.add(1),
      () => x.matmul(x),
      () => x.sum(),
      () => x.gather(ids),
      () => x.write([1, 2, 3, 4]),
      () => x.write(x.transpose(0, 1)),
      () => mapInto([a.mul(2)], [x], { a: x }),
    ];
    for (const use of uses) expect(use).toThrow(expect.objectContaining(closed));
    await expect(x.toArray()).rejects.toMatchObject(closed);
    await expect(x.transpose(0, 1).toArray()).rejects.toMatchObject(closed);
    x.dispose();
    await device.close();
  });
});
