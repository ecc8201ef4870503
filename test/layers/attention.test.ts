import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { Attention, type AttentionOptions } from '../../src/layers/attention.js';
import { KeyValueCache } from '../../src/layers/key-value-cache.js';
import { RotaryEmbedding } from '../../src/layers/rope.js';
import { gradcheck, type Tensor } from '../../src/tensor/index.js';
import { initializer, normal, rowsOf, shake, valuesOf } from './support.js';

const device = await openReference();
const dim = 8;
const make = (options: AttentionOptions): Attention => shake(new Attention(initializer(device), dim, options));

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);

/** softmax(q k / sqrt(headDim)) v for each head, in plain loops. */
async function naive(
  layer: Attention,
  x: Tensor,
  source: Tensor,
  { heads, keyValueHeads = heads, headDim = dim / heads, causal = false }: AttentionOptions,
): Promise<number[]> {
  const project = async (input: Tensor, linear: Attention['qProj']): Promise<number[][]> =>
    rowsOf(await valuesOf(linear.forward(input)), headDim);
  const [q, k, v] = [
    await project(x, layer.qProj),
    await project(source, layer.kProj),
    await project(source, layer.vProj),
  ];
  const [batch = 0, time = 0, keys = 0] = [x.shape[0], x.shape[1], source.shape[1]];
  const mixed: number[] = [];
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < time; i++) {
      for (let h = 0; h < heads; h++) {
        const group = Math.floor(h / (heads / keyValueHeads));
        const query = q[(b * time + i) * heads + h] ?? [];
        const seen = Array.from({ length: causal ? i + 1 : keys }, (_, j) => (b * keys + j) * keyValueHeads + group);
        const weights = seen.map((at) => Math.exp(dot(query, k[at] ?? []) / Math.sqrt(headDim)));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let c = 0; c < headDim; c++) {
          mixed.push(seen.reduce((sum, at, j) => sum + ((weights[j] ?? 0) / total) * (v[at]?.[c] ?? 0), 0));
        }
      }
    }
  }
  const output = rowsOf(await valuesOf(layer.oProj.weight), heads * headDim);
  const bias = layer.oProj.bias === undefined ? output.map(() => 0) : await valuesOf(layer.oProj.bias);
  return rowsOf(mixed, heads * headDim).flatMap((row) =>
    output.map((weights, i) => dot(row, weights) + (bias[i] ?? 0)),
  );
}

const shapes: readonly [string, AttentionOptions][] = [
  ['full', { heads: 2 }],
  ['causal', { heads: 4, causal: true }],
  ['grouped', { heads: 4, keyValueHeads: 2, causal: true }],
  ['of one key head, with biases', { heads: 4, keyValueHeads: 1, bias: true }],
  ['of wide heads', { heads: 2, headDim: 6, causal: true }],
];

describe.each(shapes)('attention that is %s', (_, options) => {
  test('is what plain loops give', async () => {
    const [layer, x] = [make(options), normal(device, [2, 5, dim])];
    const output = layer.forward(x);
    expect(output.shape).toEqual([2, 5, dim]);
    const wanted = await naive(layer, x, x, options);
    (await valuesOf(output)).forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] ?? 0, 12);
    });
  });

  test('has the gradients of central differences', async () => {
    const [layer, x] = [make(options), normal(device, [1, 3, dim])];
    x.requiresGrad = true;
    await gradcheck((input) => layer.forward(input).slice(2, 0, 3), [x, ...layer.parameters()]);
  });
});

test('keys and values may come from another input', async () => {
  const options = { heads: 4, keyValueHeads: 2 };
  const [layer, x, source] = [make(options), normal(device, [2, 3, dim], 1), normal(device, [2, 7, dim], 2)];
  const wanted = await naive(layer, x, source, options);
  (await valuesOf(layer.forward(x, { source }))).forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i] ?? 0, 12);
  });
  const [small, other] = [normal(device, [1, 2, dim], 3), normal(device, [1, 3, dim], 4)];
  for (const input of [small, other]) input.requiresGrad = true;
  await gradcheck((a, b) => layer.forward(a, { source: b }).slice(2, 2, 4), [small, other]);
});

test.each([
  [{ heads: 3 }, /number of heads divides the width 8, received 3/],
  [{ heads: 4, keyValueHeads: 3 }, /key\/value heads divides the number of heads 4, received 3/],
])('heads that do not divide are refused: %o', (options, message) => {
  expect(() => new Attention(initializer(device), dim, options)).toThrow(message);
});

describe('a cache of keys and values', () => {
  const options = { heads: 4, keyValueHeads: 2, causal: true };
  const cacheFor = (positions: number): KeyValueCache =>
    new KeyValueCache(device, { batch: 2, positions, keyValueHeads: 2, headDim: 2 });

  test.each([[[1, 1, 1, 1, 1, 1]], [[3, 1, 2]], [[6]]])('gives in parts %j what the whole gives', async (parts) => {
    const [layer, x, cache] = [make(options), normal(device, [2, 6, dim]), cacheFor(6)];
    const rope = new RotaryEmbedding(device, 6, 2, 100);
    const whole = await valuesOf(layer.forward(x, { rope }));
    const pieces: number[][] = [[], []];
    let start = 0;
    for (const length of parts) {
      const output = layer.forward(x.slice(1, start, start + length), { rope, cache });
      rowsOf(await valuesOf(output), length * dim).forEach((rows, b) => {
        pieces[b]?.push(...rows);
      });
      start += length;
      expect(cache.length).toBe(start);
    }
    pieces.flat().forEach((value, i) => {
      expect(value).toBeCloseTo(whole[i] ?? 0, 12);
    });
  });

  test('refuses more than it holds, and is given back once', () => {
    const cache = cacheFor(2);
    const states = normal(device, [2, 3, 2, 2]);
    expect(() => cache.append(states, states)).toThrow(/holds 2 positions, received 3/);
    cache.dispose();
    expect(() => cache.append(states.slice(1, 0, 1), states.slice(1, 0, 1))).toThrow();
  });
});
