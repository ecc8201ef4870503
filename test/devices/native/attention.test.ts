import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, View } from '../../../src/devices/device.js';
import { openNative } from '../../../src/devices/native/device.js';
import { openReference } from '../../../src/devices/reference/index.js';
import type { AttentionShape } from '../../../src/kernels/attention.js';
import { hasCompiler, place, randomValues } from '../../support/devices.js';
import { rangeCases } from '../attention-ranges.js';

interface Case extends Omit<AttentionShape, 'causal' | 'scale'> {
  /** [batch, heads, time, headDim] instead of [batch, time, heads, headDim] */
  readonly headsFirst?: boolean;
  /** Query, key and value lie side by side in one matrix. */
  readonly joint?: boolean;
  /** One sequence's keys and values serve the whole batch. */
  readonly sharedKeys?: boolean;
  /** What each query sees, from the first key to the one after the last. */
  readonly ranges?: (item: number, query: number) => readonly [number, number];
}

const results = ['output', 'queryGradient', 'keyGradient', 'valueGradient'] as const;
const names = ['query', 'key', 'value', 'outputGradient', ...results] as const;
type Name = (typeof names)[number];
const ofKeys: readonly Name[] = ['key', 'value', 'keyGradient', 'valueGradient'];

/** A view [batch, time, heads, headDim] of random numbers as the case has them. */
function operand(device: Device, shape: Case, name: Name): View {
  const isKey = ofKeys.includes(name);
  const [time, heads] = isKey ? [shape.keyLength, shape.keyValueHeads] : [shape.queryLength, shape.heads];
  const { batch, headDim } = shape;
  const gap = shape.joint === true ? 3 : 1; // heads of the others between
  const strides = shape.headsFirst === true ? [headDim, time * headDim] : [gap * heads * headDim, headDim];
  const length = gap * time * heads * headDim;
  const size = Math.max(1, batch * length);
  const whole = place(device, [size], randomValues(size, names.indexOf(name) + 1, 1));
  const repeats = shape.sharedKeys === true && (name === 'key' || name === 'value');
  return { ...whole, shape: [batch, time, heads, headDim], strides: [repeats ? 0 : length, ...strides, 1] };
}

type Views = Record<Name | 'logSumExp', View> & { ranges?: View };

function setUp(device: Device, shape: Case): Views {
  const views = Object.fromEntries(names.map((name) => [name, operand(device, shape, name)])) as Views;
  const { batch, heads, queryLength } = shape;
  const sums = place(
    device,
    [Math.max(1, batch * heads * queryLength)],
    new Float32Array(Math.max(1, batch * heads * queryLength)),
  );
  views.logSumExp = { ...sums, shape: [batch, heads, queryLength], strides: [heads * queryLength, queryLength, 1] };
  const { ranges } = shape;
  if (ranges !== undefined) {
    const bounds = Array.from({ length: batch * queryLength }, (_, i) =>
      ranges(Math.floor(i / queryLength), i % queryLength),
    );
    const buffer = device.allocate('int32', 2 * bounds.length);
    views.ranges = { buffer, offset: 0, shape: [batch, queryLength, 2], strides: [2 * queryLength, 2, 1] };
    device.write(bounds.flat(), views.ranges);
  }
  return views;
}

function compute(device: Device, shape: AttentionShape, views: Views): void {
  device.attention(shape, views);
  device.attentionGradient(shape, views, {
    output: views.outputGradient,
    query: views.queryGradient,
    key: views.keyGradient,
    value: views.valueGradient,
  });
}

const full = (shape: Case, causal: boolean): AttentionShape => ({
  ...shape,
  causal,
  scale: 1 / Math.sqrt(shape.headDim),
});

const square = (length: number, heads: number, headDim: number): Case => ({
  ...{ batch: 1, queryLength: length, keyLength: length },
  ...{ heads, keyValueHeads: heads, headDim },
});

const shapes: [string, Case][] = [
  ['one number', square(1, 1, 1)],
  ['one token', square(1, 3, 16)],
  ['a few tokens of 5 dimensions', { ...square(6, 2, 5), batch: 3 }],
  ['a block exactly', square(64, 2, 32)],
  ['a block and one', square(65, 1, 8)],
  ['several blocks', { ...square(150, 2, 48), batch: 2 }],
  ['many blocks of one head', square(300, 1, 5)],
  ['wide heads', square(70, 1, 130)],
  ['heads of 64', { ...square(120, 3, 64), batch: 2 }],
  ['heads of 80', square(33, 2, 80)],
  ['heads before time', { ...square(70, 3, 16), batch: 2, headsFirst: true }],
  ['operands side by side', { ...square(40, 2, 16), batch: 2, joint: true }],
  ['shared key heads', { ...square(70, 6, 16), keyValueHeads: 2 }],
  ['one key head for all', { ...square(33, 5, 16), keyValueHeads: 1 }],
  ['one query and many keys', { ...square(1, 6, 48), keyLength: 333, keyValueHeads: 2, batch: 2 }],
  ['one query and more keys than chunks', { ...square(1, 2, 64), keyLength: 2100, keyValueHeads: 1 }],
  ['many heads on one key head, one query', { ...square(1, 20, 8), keyLength: 100, keyValueHeads: 1 }],
  ['few queries and many keys', { ...square(3, 2, 64), keyLength: 200 }],
  ['as many queries as make half a block', { ...square(20, 2, 16), keyLength: 47 }],
  ['more queries than keys', { ...square(140, 2, 8), keyLength: 66 }],
  ['no keys', { ...square(3, 2, 8), keyLength: 0 }],
  ['one query and no keys', { ...square(1, 2, 8), keyLength: 0 }],
  ['no queries', { ...square(0, 2, 8), keyLength: 5 }],
  ['no sequences', { ...square(5, 2, 8), batch: 0 }],
  ...rangeCases.map(([name, sizes, ranges]): [string, Case] => [`ranges, ${name}`, { ...sizes, ranges }]),
];

/** Reading and writing a view of other strides than its memory's: the numbers between belong to nobody. */
const wholeOf = ({ buffer }: View): View => ({ buffer, offset: 0, shape: [buffer.length], strides: [1] });

describe.skipIf(!hasCompiler).each([1, 3])('attention on %i threads', (threads) => {
  let device: Device;
  let reference: Device;
  beforeAll(async () => {
    device = await openNative({ threads });
    reference = await openReference();
  });
  afterAll(() => Promise.all([device.close(), reference.close()]));

  async function check(shape: Case, causal: boolean): Promise<void> {
    const [views, exact] = [setUp(device, shape), setUp(reference, shape)];
    compute(device, full(shape, causal), views);
    compute(reference, full(shape, causal), exact);
    for (const name of [...results, 'logSumExp'] as const) {
      const [got, expected] = await Promise.all([
        device.read(wholeOf(views[name])),
        reference.read(wholeOf(exact[name])),
      ]);
      const wrong = [...got].findIndex((value, index) => {
        const right = expected[index] ?? Number.NaN;
        // Of no scores, the reference makes NaN; a device gives 0.
        return Number.isNaN(right) ? value !== 0 : !(value === right || Math.abs(value - right) < 1e-5);
      });
      if (wrong >= 0) expect({ name, wrong, value: got[wrong] }).toEqual({ name, wrong, value: expected[wrong] });
    }
    for (const { buffer } of Object.values(views)) device.free(buffer);
  }

  test.each(shapes)('agrees with float64: %s', (_, shape) => check(shape, false));
  test.each(shapes)('agrees with float64, causal: %s', (_, shape) => check(shape, true));
  test('keys of one sequence serve a batch', async () => {
    const shape = { ...square(40, 2, 16), batch: 3, sharedKeys: true };
    const [views, exact] = [setUp(device, shape), setUp(reference, shape)];
    device.attention(full(shape, true), views);
    reference.attention(full(shape, true), exact);
    const [got, expected] = [await device.read(views.output), await reference.read(exact.output)];
    got.forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 5);
    });
  });

  test('scores far apart neither overflow nor lose the largest', async () => {
    const length = 130;
    const shape = { ...square(length, 1, 4), causal: true, scale: 1 };
    const views = setUp(device, square(length, 1, 4));
    device.write(new Float32Array(4 * length).fill(100), wholeOf(views.query));
    device.write(
      Float32Array.from({ length: 4 * length }, (_, index) => (Math.floor(index / 4) % 7) - 3),
      wholeOf(views.key),
    );
    device.attention(shape, views);
    const [values, output] = [await device.read(views.value), await device.read(views.output)];
    // The keys that score most, 1200, stand at 6, 13, 20, ...; the others are e^-400 of them.
    for (const query of [6, 12, 13, 129]) {
      const best = Array.from({ length: Math.floor((query + 1) / 7) }, (_, i) => 6 + 7 * i);
      for (let d = 0; d < 4; d++) {
        const mean = best.reduce((sum, key) => sum + (values[4 * key + d] ?? 0), 0) / best.length;
        expect(output[4 * query + d]).toBeCloseTo(mean, 5);
      }
    }
  });

  test('the log-sum-exp is that of the scores, and -Infinity where a query sees no key', async () => {
    const shape = { ...square(3, 1, 1), keyLength: 2 };
    const views = setUp(device, shape);
    device.write([5, 2, 3], views.query);
    device.write([1, -1], views.key);
    device.attention(full(shape, true), views);
    const [first, second, third] = await device.read(views.logSumExp);
    expect(first).toBe(Number.NEGATIVE_INFINITY);
    expect(second).toBeCloseTo(2, 6);
    expect(third).toBeCloseTo(Math.log(Math.exp(3) + Math.exp(-3)), 6);
  });

  test('a query that sees one key has its value, to the bit', async () => {
    const views = setUp(device, square(70, 2, 16));
    device.attention(full(square(70, 2, 16), true), views);
    const [value, output] = [await device.read(views.value), await device.read(views.output)];
    expect(output.slice(0, 32)).toEqual(value.slice(0, 32));
  });

  test.each([
    [1, 0x7fc00000],
    [70, 0x7fc00000],
    [1, 0x7fc00001],
    [70, 0x7fc00003],
    [70, 0xffc12345],
  ])('a NaN in a query makes its own output NaN and no other: %i queries, bits %i', async (length, bits) => {
    const shape = { ...square(length, 2, 8), keyLength: 70 };
    const views = setUp(device, shape);
    const place = length === 1 ? 0 : 20;
    const query = Float32Array.from(await device.read(wholeOf(views.query)));
    new Uint32Array(query.buffer)[16 * place + 8] = bits;
    device.write(query, wholeOf(views.query));
    device.attention(full(shape, true), views);
    const [output, logSumExp] = [await device.read(views.output), await device.read(views.logSumExp)];
    output.forEach((value, index) => {
      expect(Number.isNaN(value)).toBe(Math.floor(index / 8) === 2 * place + 1);
    });
    logSumExp.forEach((value, index) => {
      expect(Number.isNaN(value)).toBe(index === length + place);
    });
  });
});

test.skipIf(!hasCompiler)('the bits do not depend on the number of threads', async () => {
  const all: string[][] = [];
  for (const threads of [1, 2, 3]) {
    const device = await openNative({ threads });
    const bits: string[] = [];
    for (const [, shape] of shapes) {
      const views = setUp(device, shape);
      compute(device, full(shape, true), views);
      for (const name of results)
        bits.push(Buffer.from((await device.read(wholeOf(views[name]))).buffer).toString('base64'));
    }
    all.push(bits);
    await device.close();
  }
  expect(all[1]).toEqual(all[0]);
  expect(all[2]).toEqual(all[0]);
});

test.skipIf(!hasCompiler)('memory grows in proportion to the length', async () => {
  const device = await openNative({ threads: 1 });
  const length = 4096;
  const views = setUp(device, square(length, 1, 8));
  compute(device, full(square(length, 1, 8), true), views);
  await device.synchronize();
  expect(device.memory().peakBytes).toBeLessThan(length * length); // the scores alone would be 4 times that
  await device.close();
});
