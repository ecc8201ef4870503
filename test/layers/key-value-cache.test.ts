import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { ConvolutionCache } from '../../src/layers/convolution-cache.js';
import { KeyValueCache } from '../../src/layers/key-value-cache.js';
import { concat, memory, type Tensor } from '../../src/tensor/index.js';
import { normal, valuesOf } from './support.js';

const device = await openReference();
const sizes = { batch: 2, positions: 700, keyValueHeads: 1, headDim: 2 };
const states = (time: number, seed: number): Tensor => normal(device, [2, time, 1, 2], seed);

describe('a cache of keys and values', () => {
  test('keeps all that it was given while its memory grows, and no more than its positions', async () => {
    const cache = new KeyValueCache(device, sizes);
    const parts = [100, 200, 1, 300].map((time, i) => [states(time, i), states(time, 100 + i)] as const);
    let last: { key: Tensor; value: Tensor } | undefined;
    for (const [key, value] of parts) last = cache.append(key, value);
    const wanted = [0, 1].map((side) =>
      concat(
        parts.flatMap((part) => part[side] ?? []),
        1,
      ),
    );
    expect(await valuesOf(last?.key as Tensor)).toEqual(await valuesOf(wanted[0] as Tensor));
    expect(await valuesOf(last?.value as Tensor)).toEqual(await valuesOf(wanted[1] as Tensor));
    expect(cache.length).toBe(601);
    expect(() => cache.append(states(100, 1), states(100, 2))).toThrow(/holds 700 positions, received 701/);
  });

  test('goes on with the sequences that it takes, and gives back the memory of the others', async () => {
    const cache = new KeyValueCache(device, sizes);
    const [key, value] = [states(3, 1), states(3, 2)];
    for (const view of Object.values(cache.append(key, value))) view.dispose();
    const { buffers } = memory(device);
    cache.take([1, 1, 0]);
    expect(memory(device).buffers).toBe(buffers);
    const next = normal(device, [3, 1, 1, 2], 5);
    const found = await valuesOf(cache.append(next, next).key.slice(1, 0, 3));
    const [first, second] = [await valuesOf(key.slice(0, 0, 1)), await valuesOf(key.slice(0, 1, 2))];
    expect(found).toEqual([...second, ...second, ...first]);
  });

  test('that takes all as they are stays where it is', () => {
    const cache = new KeyValueCache(device, sizes);
    const [key, value] = [states(2, 1), states(2, 2)];
    const before = cache.append(key, value).key;
    cache.take([0, 1]);
    expect(before.shape).toEqual([2, 2, 1, 2]);
    expect(cache.length).toBe(2);
  });
});

test('a cache of a convolution goes on with the sequences that it takes', async () => {
  const cache = new ConvolutionCache(device, { batch: 2, channels: 1, reach: 2 });
  const x = normal(device, [2, 1, 2], 3);
  cache.extend(x);
  cache.take([1, 0, 1]);
  const [a = 0, b = 0, c = 0, d = 0] = await valuesOf(x);
  const next = normal(device, [3, 1, 1], 4);
  const [p = 0, q = 0, r = 0] = await valuesOf(next);
  expect(await valuesOf(cache.extend(next))).toEqual([c, d, p, a, b, q, c, d, r]);
});
