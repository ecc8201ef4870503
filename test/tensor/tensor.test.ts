import { expect, test } from 'vitest';
import { randomKey, randomNormal, randomUniform } from '../../src/base/random.js';
import { openReference } from '../../src/devices/reference/index.js';
import { arange, full, ones, rand, randn, tensor, zeros } from '../../src/tensor/index.js';
import { onDevices } from './devices.js';

onDevices((on) => {
  test('a tensor is made of a number, a flat array with a shape, or nested arrays', async () => {
    await on.expectValues(tensor(on.device, 3), [], [3]);
    await on.expectValues(tensor(on.device, [1, 2, 3]), [3], [1, 2, 3]);
    await on.expectValues(tensor(on.device, Float32Array.of(1, 2, 3, 4), [2, 2]), [2, 2], [1, 2, 3, 4]);
    await on.expectValues(tensor(on.device, [[[1, 2]], [[3, 4]]]), [2, 1, 2], [1, 2, 3, 4]);
  });

  test('whole numbers stay whole: int32 by an Int32Array or by dtype', async () => {
    const made = tensor(on.device, Int32Array.of(5, -100));
    expect([made.dtype, await made.toArray()]).toEqual(['int32', Int32Array.of(5, -100)]);
    expect(tensor(on.device, [1, 2], [2], { dtype: 'int32' }).dtype).toBe('int32');
    expect(tensor(on.device, [1, 2]).dtype).toBe('float32');
  });

  test('values are as many as the shape has, and nested arrays are regular', () => {
    expect(() => tensor(on.device, [1, 2, 3], [2, 2])).toThrow('a tensor [2, 2] has 4 values, received 3');
    expect(() => tensor(on.device, [[1, 2], [3]])).toThrow('one length at each depth');
    expect(() => tensor(on.device, [1, [2, 3]])).toThrow('one length at each depth');
    expect(() => tensor(on.device, [1], [1, 0])).toThrow('positive integers, received [1, 0]');
  });

  test('zeros, ones, full and arange hold what they say', async () => {
    await on.expectValues(zeros(on.device, [2, 2]), [2, 2], [0, 0, 0, 0]);
    await on.expectValues(ones(on.device, [2]), [2], [1, 1]);
    await on.expectValues(full(on.device, [1, 2], -0.5), [1, 2], [-0.5, -0.5]);
    await on.expectValues(arange(on.device, 1, 2, 0.25), [4], [1, 1.25, 1.5, 1.75]);
    await on.expectValues(arange(on.device, 2, -1, -1), [3], [2, 1, 0]);
    expect(() => arange(on.device, 1, 1)).toThrow('arange goes from start to end');
  });

  test('random tensors follow their key, and randn its mean and deviation', async () => {
    const key = randomKey(1, 'initialization');
    const indices = [0, 1, 2, 3];
    await on.expectValues(
      rand(on.device, [2, 2], key),
      [2, 2],
      indices.map((i) => randomUniform(key, i)),
    );
    await on.expectValues(
      randn(on.device, [4], key, { mean: 3, deviation: 0.5 }),
      [4],
      indices.map((i) => 3 + 0.5 * randomNormal(key, i)),
    );
  });

  test('item reads one element and refuses more', async () => {
    expect(await tensor(on.device, [[7]]).item()).toBe(7);
    await expect(ones(on.device, [2]).item()).rejects.toThrow('one element, received [2]');
  });

  test('write replaces values, through a view too, from numbers or a tensor', async () => {
    const matrix = zeros(on.device, [2, 3]);
    matrix.transpose(0, 1).write([1, 2, 3, 4, 5, 6]);
    await on.expectValues(matrix, [2, 3], [1, 3, 5, 2, 4, 6]);
    matrix.select(0, 1).write(ones(on.device, [3]));
    await on.expectValues(matrix, [2, 3], [1, 3, 5, 1, 1, 1]);
    expect(() => matrix.write([1, 2])).toThrow('as many values as [2, 3] has, received "2 numbers"');
    expect(() => matrix.write(ones(on.device, [3]))).toThrow('received [3]');
  });

  test('requiresGrad is for contiguous float32 tensors that are not results', () => {
    expect(() => tensor(on.device, Int32Array.of(1), [1], { requiresGrad: true })).toThrow('requiresGrad is set on');
    const leaf = ones(on.device, [2, 3], { requiresGrad: true });
    const result = leaf.mul(2);
    expect([leaf.isLeaf, result.isLeaf, result.requiresGrad]).toEqual([true, false, true]);
    expect(() => {
      result.requiresGrad = false;
    }).toThrow('Use detach()');
    const view = leaf.detach().transpose(0, 1);
    expect(() => {
      view.requiresGrad = true;
    }).toThrow('Use clone() first');
  });
});

test('tensors of two devices do not mix', async () => {
  const [one, other] = [await openReference(), await openReference()];
  expect(() => ones(one, [1]).add(ones(other, [1]))).toThrow('add takes tensors of one device');
});
