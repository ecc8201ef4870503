import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { attention, gradcheck, ones, type Tensor, tensor } from '../../src/tensor/index.js';
import { onDevices, someValues } from './devices.js';

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Attention out of products and softmax: [batch, time, heads, headDim]. */
function composed(query: Tensor, key: Tensor, value: Tensor, causal: boolean, scale: number): Tensor {
  const group = (query.shape[2] ?? 1) / (key.shape[2] ?? 1);
  const spread = (t: Tensor): Tensor => {
    const [batch = 1, time = 1, heads = 1, width = 1] = t.shape;
    const wide = t.unsqueeze(3).expand([batch, time, heads, group, width]);
    return wide.reshape([batch, time, heads * group, width]).transpose(1, 2);
  };
  const [rows, columns] = [query.shape[1] ?? 1, key.shape[1] ?? 1];
  const hidden = Array.from({ length: rows * columns }, (_, i) =>
    causal && (i % columns) - Math.floor(i / columns) > columns - rows ? -1e9 : 0,
  );
  const scores = query.transpose(1, 2).matmul(spread(key).transpose(-2, -1)).mul(scale);
  return scores
    .add(tensor(query.device, hidden, [rows, columns]))
    .softmax()
    .matmul(spread(value))
    .transpose(1, 2);
}

onDevices((on) => {
  const made = (shape: readonly number[], seed: number): Tensor =>
    tensor(on.device, someValues(sizeOf(shape), seed), shape);

  test.each([
    ['plain', false, 2, 3, 3],
    ['causal', true, 2, 3, 3],
    ['causal with grouped heads', true, 1, 3, 3],
    ['causal with a longer past', true, 1, 2, 5],
    ['across sequences', false, 1, 4, 2],
  ] as const)('%s attention is softmax of scores times values', async (_, causal, keyHeads, queries, keys) => {
    const query = made([2, queries, 2, 4], 1);
    const [key, value] = [made([2, keys, keyHeads, 4], 2), made([2, keys, keyHeads, 4], 3)];
    const result = query.attention(key, value, { causal });
    const expected = await composed(query, key, value, causal, 0.5).toArray();
    await on.expectValues(result, query.shape, Array.from(expected));
  });

  test('operands may be windows of one projection, or lie in another order', async () => {
    const projection = made([2, 3, 24], 1);
    const heads = (start: number): Tensor => projection.slice(2, start, start + 8).view([2, 3, 2, 4]);
    const expected = await attention(heads(0).clone(), heads(8).clone(), heads(16).clone()).toArray();
    await on.expectValues(attention(heads(0), heads(8), heads(16)), [2, 3, 2, 4], Array.from(expected));
    const turned = heads(0).transpose(2, 3).contiguous().transpose(2, 3);
    await on.expectValues(attention(turned, heads(8), heads(16)), [2, 3, 2, 4], Array.from(expected));
  });

  test.each(['left', 'right'] as const)('a text padded on the %s has the bits that it has alone', async (side) => {
    const [batch, longest, heads, width] = [3, 9, 2, 4];
    const lengths = [9, 4, 0];
    const inputs = [1, 2, 3].map((seed) => made([batch, longest, heads, width], seed));
    const begin = (row: number): number => (side === 'left' ? longest - (lengths[row] ?? 0) : 0);
    const bounds = lengths.flatMap((length, row) =>
      Array.from({ length: longest }, () => [begin(row), begin(row) + length]).flat(),
    );
    const ranges = tensor(on.device, bounds, [batch, longest, 2], { dtype: 'int32' });
    const [query, key, value] = inputs as [Tensor, Tensor, Tensor];
    const padded = attention(query, key, value, { ranges });
    for (const [row, length] of lengths.entries()) {
      const text = (t: Tensor): Tensor => t.slice(0, row, row + 1).slice(1, begin(row), begin(row) + length);
      const got = await padded.slice(0, row, row + 1).toArray();
      if (length === 0) {
        expect(Array.from(got).every((one) => one === 0)).toBe(true);
        continue;
      }
      const alone = attention(text(query), text(key), text(value));
      expect(await text(padded).toArray()).toEqual(await alone.toArray());
    }
  });

  test('ranges of another shape or type are refused', () => {
    const one = ones(on.device, [2, 3, 1, 4]);
    for (const [shape, dtype] of [
      [[2, 3], 'int32'],
      [[2, 3, 2], 'float32'],
      [[1, 3, 2], 'int32'],
    ] as const) {
      const ranges = ones(on.device, shape, { dtype });
      expect(() => attention(one, one, one, { ranges })).toThrow('int32 [batch, queryLength, 2] = [2, 3, 2]');
    }
  });

  test('shapes that do not fit are refused with all three', () => {
    const t = (...shape: number[]): Tensor => ones(on.device, shape);
    expect(() => attention(t(2, 3, 4), t(2, 3, 4), t(2, 3, 4))).toThrow('[batch, time, heads, headDim]');
    expect(() => attention(t(1, 2, 2, 4), t(1, 2, 2, 3), t(1, 2, 2, 3))).toThrow(
      'one batch and headDim, and key and value of one shape, received [[1, 2, 2, 4], [1, 2, 2, 3], [1, 2, 2, 3]]',
    );
    expect(() => attention(t(1, 2, 3, 4), t(1, 2, 2, 4), t(1, 2, 2, 4))).toThrow('a multiple of');
    expect(() => attention(t(1, 3, 2, 4), t(1, 2, 2, 4), t(1, 2, 2, 4), { causal: true })).toThrow('as many keys');
  });
});

describe('gradients', async () => {
  const device = await openReference();
  const leaf = (shape: readonly number[], seed: number): Tensor =>
    tensor(device, someValues(sizeOf(shape), seed), shape, { requiresGrad: true });
  const weights = tensor(device, someValues(24, 9), [1, 3, 4, 2]);

  test.each([true, false])('attention with grouped heads, causal %s', async (causal) => {
    const inputs = [leaf([1, 3, 4, 2], 1), leaf([1, 3, 2, 2], 2), leaf([1, 3, 2, 2], 3)];
    await gradcheck((q, k, v) => attention(q, k, v, { causal, scale: 0.9 }).mul(weights), inputs);
  });

  test.each([true, false])('attention of ranges, causal %s, where one query sees nothing', async (causal) => {
    const inputs = [leaf([1, 3, 4, 2], 1), leaf([1, 3, 2, 2], 2), leaf([1, 3, 2, 2], 3)];
    const ranges = tensor(device, [0, 2, 2, 2, 1, 3], [1, 3, 2], { dtype: 'int32' });
    await gradcheck((q, k, v) => attention(q, k, v, { causal, ranges }).mul(weights), inputs);
    const [q, k, v] = inputs as [Tensor, Tensor, Tensor];
    attention(q, k, v, { ranges }).sum().backward();
    expect(Array.from(await (q.grad as Tensor).slice(1, 1, 2).toArray())).toEqual(Array(8).fill(0));
  });

  test('attention of some operands only, and of one tensor used thrice', async () => {
    const [q, k, v] = [leaf([1, 3, 4, 2], 1), leaf([1, 3, 4, 2], 2), leaf([1, 3, 4, 2], 3)];
    await gradcheck((one) => attention(one, k.detach(), v.detach()).mul(weights), [q]);
    await gradcheck((one) => attention(q.detach(), one, v.detach()).mul(weights), [k]);
    await gradcheck((one) => attention(one, one, one, { causal: true }).mul(weights), [v]);
    await gradcheck((one, two) => attention(one.add(two), two, one.mul(two)).mul(weights), [q, k]);
  });

  test('windows of one projection get their gradients in one buffer, without copies', async () => {
    const projection = leaf([1, 3, 16], 4);
    const run = (t: Tensor): Tensor => {
      const queries = t.slice(2, 0, 8).view([1, 3, 4, 2]);
      const [keys, values] = [t.slice(2, 8, 12).view([1, 3, 2, 2]), t.slice(2, 12, 16).view([1, 3, 2, 2])];
      return attention(queries, keys, values, { causal: true }).mul(weights);
    };
    await gradcheck(run, [projection]);
    await gradcheck((t) => run(t.mul(2)), [projection]);
    const result = run(projection).sum();
    const maps: number[] = [];
    const original = device.map;
    Object.assign(device, {
      map: (...args: Parameters<typeof original>) => {
        maps.push(args[3].length);
        original(...args);
      },
    });
    const before = device.memory();
    result.backward();
    Object.assign(device, { map: original });
    // The seed, the gradient of the sum, that of the weighting: none for the windows.
    expect(maps.length).toBe(3);
    expect(before.liveBytes).toBeGreaterThan(0);
  });
});
