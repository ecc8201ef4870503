import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { SluiceError } from '../../../src/base/errors.js';
import type { AttentionBackwardOptions, AttentionOperand } from '../../../src/devices/wasm/attention.js';
import { attentionBackward, attentionForward } from '../../../src/devices/wasm/attention.js';
import { WasmRuntime } from '../../../src/devices/wasm/runtime.js';
import { rangeCases } from '../attention-ranges.js';
import type { Block } from './operands.js';
import { allocate, allocateRandom, free, largestDifference, read, write } from './operands.js';

interface Shape {
  readonly batch: number;
  readonly queryLength: number;
  readonly keyLength: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly causal: boolean;
  /** What each query sees, from the first key to the one after the last. */
  readonly ranges?: (item: number, query: number) => readonly [number, number];
  /** [batch, heads, time, headDim] instead of [batch, time, heads, headDim] */
  readonly headsFirst?: boolean;
}

const results = ['output', 'queryGradient', 'keyGradient', 'valueGradient'] as const;
type Result = (typeof results)[number];
type Name = 'query' | 'key' | 'value' | 'outputGradient' | Result;
const names: readonly Name[] = ['query', 'key', 'value', 'outputGradient', ...results];

function setUp(runtime: WasmRuntime, shape: Shape) {
  const { batch, queryLength, keyLength, heads, keyValueHeads, headDim } = shape;
  const blocks = {} as Record<Name | 'logSumExp' | 'ranges', Block>;
  const operands = {} as Record<Name, AttentionOperand>;
  names.forEach((name, seed) => {
    const ofKeys = ['key', 'value', 'keyGradient', 'valueGradient'].includes(name);
    const [time, count] = ofKeys ? [keyLength, keyValueHeads] : [queryLength, heads];
    const block = allocateRandom(runtime, batch * time * count * headDim, seed + 1);
    const [timeStride, headStride] = shape.headsFirst ? [headDim, time * headDim] : [count * headDim, headDim];
    blocks[name] = block;
    operands[name] = { pointer: block.pointer, batchStride: time * count * headDim, timeStride, headStride };
  });
  blocks.logSumExp = allocate(runtime, batch * heads * queryLength);
  blocks.ranges = allocate(runtime, 2 * batch * queryLength);
  const { ranges, headsFirst, ...rest } = shape;
  for (let item = 0; item < batch * queryLength; item++) {
    const range = ranges?.(Math.floor(item / queryLength), item % queryLength);
    if (range !== undefined) runtime.arena.i32.set(range, blocks.ranges.pointer / 4 + 2 * item);
  }
  const options: AttentionBackwardOptions = {
    ...rest,
    ...operands,
    scale: 1 / Math.sqrt(headDim),
    logSumExp: blocks.logSumExp.pointer,
    ...(ranges === undefined ? {} : { ranges: blocks.ranges.pointer }),
  };
  return { blocks, operands, options };
}

/** Forward and backward in float64, from the definition. */
function reference(
  runtime: WasmRuntime,
  shape: Shape,
  operands: Record<Name, AttentionOperand>,
  blocks: Record<Name, Block>,
) {
  const { batch, queryLength, keyLength, heads, keyValueHeads, headDim, causal } = shape;
  const inputs = Object.fromEntries(names.map((name) => [name, read(runtime, blocks[name])])) as Record<
    Name,
    Float32Array
  >;
  const out = Object.fromEntries(results.map((name) => [name, new Float64Array(blocks[name].length)])) as Record<
    Result,
    Float64Array
  >;
  const dims = [...Array(headDim).keys()];
  const scale = 1 / Math.sqrt(headDim);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++) {
      const keyHead = Math.floor(h / (heads / keyValueHeads));
      const at = (name: Name, time: number, head: number) => {
        const { batchStride, timeStride, headStride } = operands[name];
        return b * batchStride + time * timeStride + head * headStride;
      };
      const dot = (left: Name, i: number, right: Name, j: number) =>
        dims.reduce((sum, d) => sum + (inputs[left][i + d] ?? 0) * (inputs[right][j + d] ?? 0), 0);
      const add = (name: Result, index: number, from: Name, other: number, factor: number) => {
        for (const d of dims)
          out[name][index + d] = (out[name][index + d] ?? 0) + factor * (inputs[from][other + d] ?? 0);
      };
      for (let i = 0; i < queryLength; i++) {
        const reach = causal ? i + keyLength - queryLength + 1 : keyLength;
        const [begin, end] = shape.ranges?.(b, i) ?? [0, keyLength];
        const q = at('query', i, h);
        const keys = [...Array(keyLength).keys()].filter((j) => j >= begin && j < Math.min(end, reach));
        const scores = keys.map((j) => scale * dot('query', q, 'key', at('key', j, keyHead)));
        const largest = Math.max(...scores);
        const exponentials = scores.map((score) => Math.exp(score - largest));
        const total = exponentials.reduce((sum, value) => sum + value, 0);
        const weights = exponentials.map((value) => value / total);
        const gradients = keys.map((j) =>
          dot('outputGradient', at('outputGradient', i, h), 'value', at('value', j, keyHead)),
        );
        const mean = weights.reduce((sum, weight, j) => sum + weight * (gradients[j] ?? 0), 0);
        keys.forEach((j, seen) => {
          const weight = weights[seen] ?? Number.NaN;
          const gradient = scale * weight * ((gradients[seen] ?? 0) - mean);
          add('output', at('output', i, h), 'value', at('value', j, keyHead), weight);
          add('queryGradient', at('queryGradient', i, h), 'key', at('key', j, keyHead), gradient);
          add('keyGradient', at('keyGradient', j, keyHead), 'query', q, gradient);
          add('valueGradient', at('valueGradient', j, keyHead), 'outputGradient', at('outputGradient', i, h), weight);
        });
      }
    }
  return out;
}

function check(runtime: WasmRuntime, shape: Shape): void {
  const { blocks, operands, options } = setUp(runtime, shape);
  const expected = reference(runtime, shape, operands, blocks);
  attentionForward(runtime, options);
  attentionBackward(runtime, options);
  for (const name of results)
    expect(largestDifference(read(runtime, blocks[name]), expected[name]), name).toBeLessThan(1e-5);
  free(runtime, ...Object.values(blocks));
}

const square = (length: number, heads: number, headDim: number): Omit<Shape, 'causal'> => ({
  ...{ batch: 1, queryLength: length, keyLength: length },
  ...{ heads, keyValueHeads: heads, headDim },
});

const rangedShapes: [string, Omit<Shape, 'causal'>][] = rangeCases.map(([name, sizes, ranges]) => [
  `ranges, ${name}`,
  { ...square(sizes.queryLength, sizes.heads, sizes.headDim), ...sizes, ranges },
]);

const shapes: [string, Omit<Shape, 'causal'>][] = [
  ['one number', square(1, 1, 1)],
  ['one token', square(1, 3, 16)],
  ['a few tokens of 5 dimensions', { ...square(6, 2, 5), batch: 3 }],
  ['a block exactly', square(64, 2, 32)],
  ['a block and one', square(65, 1, 8)],
  ['several blocks', { ...square(150, 2, 48), batch: 2 }],
  ['many blocks of one head', square(300, 1, 7)],
  ['wide heads', square(70, 1, 130)],
  ['heads before time', { ...square(70, 3, 12), batch: 2, headsFirst: true }],
  ['shared key heads', { ...square(70, 6, 16), keyValueHeads: 2 }],
  ['one key head for all', { ...square(33, 5, 20), keyValueHeads: 1 }],
  ['one query and many keys', { ...square(1, 6, 24), keyLength: 333, keyValueHeads: 2, batch: 2 }],
  ['many heads on one key head, one query', { ...square(1, 20, 8), keyLength: 100, keyValueHeads: 1 }],
  ['few queries and many keys', { ...square(3, 2, 64), keyLength: 200 }],
  ['more queries than keys', { ...square(140, 2, 9), keyLength: 66 }],
  ['no keys', { ...square(3, 2, 4), keyLength: 0 }],
  ['one query and no keys', { ...square(1, 2, 4), keyLength: 0 }],
  ...rangedShapes,
];

describe.each([
  { threads: 1, relaxed: true },
  { threads: 3, relaxed: false },
])('attention with %o', ({ threads, relaxed }) => {
  let runtime: WasmRuntime;
  beforeAll(async () => {
    runtime = await WasmRuntime.create({ threads, relaxed });
  });
  afterAll(() => runtime.close());

  test.each(shapes)('agrees with float64: %s', (_, shape) => {
    check(runtime, { ...shape, causal: false });
  });

  test.each(shapes)('agrees with float64, causal: %s', (_, shape) => {
    check(runtime, { ...shape, causal: true });
  });

  test('scores far apart neither overflow nor lose the largest', () => {
    const shape = { ...square(130, 1, 4), causal: true };
    const { blocks, options } = setUp(runtime, shape);
    write(runtime, blocks.query, () => 100);
    write(runtime, blocks.key, (index) => (Math.floor(index / 4) % 7) - 3);
    attentionForward(runtime, { ...options, scale: 1 });
    const values = read(runtime, blocks.value);
    const output = read(runtime, blocks.output);
    // The keys that score most, 1200, stand at 6, 13, 20, ...; the others are e^-400 of them.
    for (const [query, best] of [
      [6, [6]],
      [12, [6]],
      [13, [6, 13]],
      [129, [6, 13, 20, 27, 34, 41, 48, 55, 62, 69, 76, 83, 90, 97, 104, 111, 118, 125]],
    ] as const)
      for (let d = 0; d < 4; d++) {
        const mean = best.reduce((sum, key) => sum + (values[4 * key + d] ?? 0), 0) / best.length;
        expect(output[4 * query + d]).toBeCloseTo(mean, 5);
      }
    free(runtime, ...Object.values(blocks));
  });

  test('the log-sum-exp is that of the scores, and -Infinity where a query sees no key', () => {
    const { blocks, options } = setUp(runtime, { ...square(3, 1, 1), keyLength: 2, causal: true });
    runtime.arena.f32.set([5, 2, 3], blocks.query.pointer / 4);
    runtime.arena.f32.set([1, -1], blocks.key.pointer / 4);
    attentionForward(runtime, options);
    const [first, second, third] = read(runtime, blocks.logSumExp);
    expect([first, second]).toEqual([Number.NEGATIVE_INFINITY, 2]);
    expect(third).toBeCloseTo(Math.log(Math.exp(3) + Math.exp(-3)), 6);
    free(runtime, ...Object.values(blocks));
  });

  test('a NaN in a query makes its own output NaN and no other', () => {
    const { blocks, options } = setUp(runtime, { ...square(70, 1, 8), causal: true });
    runtime.arena.f32[blocks.query.pointer / 4 + 8 * 20] = Number.NaN;
    attentionForward(runtime, options);
    read(runtime, blocks.output).forEach((value, index) => {
      expect(Number.isNaN(value)).toBe(Math.floor(index / 8) === 20);
    });
    free(runtime, ...Object.values(blocks));
  });
});

test('the bits do not depend on the number of threads', async () => {
  const results64: string[][] = [];
  for (const threads of [1, 2, 4]) {
    const runtime = await WasmRuntime.create({ threads });
    const bits: string[] = [];
    for (const [, shape] of shapes) {
      const { blocks, options } = setUp(runtime, { ...shape, causal: true });
      attentionForward(runtime, options);
      attentionBackward(runtime, options);
      for (const name of results) bits.push(Buffer.from(read(runtime, blocks[name]).buffer).toString('base64'));
      free(runtime, ...Object.values(blocks));
    }
    results64.push(bits);
    await runtime.close();
  }
  expect(results64[1]).toEqual(results64[0]);
  expect(results64[2]).toEqual(results64[0]);
});

test('a step that has no memory gives back what it had', async () => {
  const runtime = await WasmRuntime.create({ threads: 1 });
  const { options } = setUp(runtime, { ...square(1, 2, 8), keyLength: 100, causal: true });
  attentionForward(runtime, options);
  const { liveBytes } = runtime.arena.statistics();
  vi.spyOn(runtime, 'launch').mockImplementation(() => {
    throw new SluiceError('memory', { rule: 'there is memory', remedy: 'Free some.' });
  });
  expect(() => attentionForward(runtime, options)).toThrow('there is memory');
  expect(runtime.arena.statistics().liveBytes).toBe(liveBytes);
});

test('memory grows in proportion to the length', async () => {
  const runtime = await WasmRuntime.create({ threads: 1 });
  const length = 4096;
  const { options } = setUp(runtime, { ...square(length, 1, 8), causal: true });
  attentionForward(runtime, options);
  attentionBackward(runtime, options);
  expect(runtime.arena.statistics().peakBytes).toBeLessThan(length * length); // the scores alone would be 4 times that
});
