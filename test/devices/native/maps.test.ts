import { afterAll, expect, test } from 'vitest';
import type { Device, View } from '../../../src/devices/device.js';
import { openNative } from '../../../src/devices/native/device.js';
import type { KernelSource } from '../../../src/devices/native/kernel-source.js';
import { MapLauncher } from '../../../src/devices/native/maps.js';
import { NativeBuffer } from '../../../src/devices/native/memory.js';
import type { Launcher } from '../../../src/devices/native/runtime.js';
import { openReference } from '../../../src/devices/reference/index.js';
import { mapKernel } from '../../../src/kernels/kernel.js';
import { parse } from '../../../src/scalar/parse.js';
import { hasCompiler, place, randomValues } from '../../support/devices.js';
import { error32 } from '../../support/ulp.js';

const withCompiler = test.skipIf(!hasCompiler);
const devices: Device[] = hasCompiler ? [await openReference(), await openNative({ threads: 2 })] : [];
afterAll(() => Promise.all(devices.map((device) => device.close())));

const formulas = {
  'in float32': ['a + b', 'max(a, b)'],
  'in float64': ['a*sigmoid(b) - b*c', 'a*a + c/b'],
};

/** A view of the shape that walks its axes in another order in memory, or repeats an axis. */
function strided(
  device: Device,
  shape: readonly number[],
  order: readonly number[],
  repeated: readonly number[],
): View {
  const sizes = order.map((axis) => (repeated.includes(axis) ? 1 : (shape[axis] ?? 1)));
  const packed = place(
    device,
    sizes,
    randomValues(
      sizes.reduce((a, b) => a * b, 1),
      7 + order.length,
    ),
  );
  const strides = shape.map((_, axis) => (repeated.includes(axis) ? 0 : (packed.strides[order.indexOf(axis)] ?? 0)));
  return { ...packed, shape, strides };
}

const layouts: readonly { shape: number[]; b: number[]; repeatedB: number[]; c: number[]; repeatedC: number[] }[] = [
  { shape: [40_001], b: [0], repeatedB: [], c: [0], repeatedC: [0] },
  { shape: [700, 24], b: [0, 1], repeatedB: [0], c: [0, 1], repeatedC: [1] },
  { shape: [3, 5, 7], b: [2, 1, 0], repeatedB: [], c: [1, 0, 2], repeatedC: [] },
  { shape: [2, 3, 4, 50], b: [0, 2, 1, 3], repeatedB: [1], c: [3, 2, 1, 0], repeatedC: [] },
  { shape: [5, 17_003], b: [1, 0], repeatedB: [], c: [0, 1], repeatedC: [0, 1] },
  { shape: [1], b: [0], repeatedB: [], c: [0], repeatedC: [] },
];

for (const [type, texts] of Object.entries(formulas)) {
  withCompiler.each(layouts.map((layout) => [layout.shape.join('x'), layout] as const))(
    `rows of any length and operands in any order are computed ${type}: %s`,
    async (_, { shape, b, repeatedB, c, repeatedC }) => {
      const kernel = mapKernel({
        inputs: ['a', 'b', 'c'],
        scalars: [],
        outputs: texts.map((text) => parse(text, ['a', 'b', 'c'])),
      });
      const count = shape.reduce((product, size) => product * size, 1);
      const results: ArrayLike<number>[][] = [];
      for (const device of devices) {
        const inputs = [
          place(device, shape, randomValues(count, 1)),
          strided(device, shape, b, repeatedB),
          strided(device, shape, c, repeatedC),
        ];
        const transposed = strided(device, shape, [...b].reverse(), []);
        const outputs = [place(device, shape, new Float32Array(count)), transposed];
        device.map(kernel, inputs, [], outputs);
        results.push(await Promise.all(outputs.map((output) => device.read(output))));
      }
      const [wanted = [], actual = []] = results;
      const worst = wanted.flatMap((values, k) =>
        Array.from(values, (value, i) => error32(actual[k]?.[i] ?? 0, value)),
      );
      expect(worst.reduce((a, e) => Math.max(a, e), 0)).toBeLessThanOrEqual(2);
    },
  );
}

withCompiler('integers are read and written, a fraction is cut and what is too large saturates', async () => {
  const [, device] = devices;
  if (device === undefined) throw new Error('no device');
  const kernel = mapKernel({ inputs: ['a', 'b'], scalars: ['s'], outputs: [parse('a*s + b', ['a', 'b', 's'])] });
  const a = place(
    device,
    [20],
    Array.from({ length: 20 }, (_, i) => 2 ** 24 + i),
    'int32',
  );
  const b = place(
    device,
    [20],
    Array.from({ length: 20 }, (_, i) => (i === 3 ? Number.NaN : i === 4 ? 1e30 : 0.75)),
  );
  const [whole, real] = [place(device, [20], new Float32Array(20), 'int32'), place(device, [20], new Float32Array(20))];
  device.map(kernel, [a, b], [2], [whole]);
  device.map(kernel, [a, b], [2], [real]);
  const wanted = Array.from({ length: 20 }, (_, i) => (i === 3 ? 0 : i === 4 ? 2 ** 31 - 1 : 2 ** 25 + 2 * i));
  expect([...(await device.read(whole))]).toEqual(wanted);
  expect((await device.read(real))[5]).toBe(Math.fround(2 ** 25 + 10.75));
});

withCompiler('an output may be one of the inputs, whatever the length', async () => {
  const [, device] = devices;
  if (device === undefined) throw new Error('no device');
  const kernel = mapKernel({
    inputs: ['a', 'b'],
    scalars: [],
    outputs: [parse('b', ['a', 'b']), parse('a + 1', ['a', 'b'])],
  });
  for (const length of [1, 15, 64, 100, 40_000]) {
    const [a, b] = [
      place(device, [length], new Float32Array(length).fill(1)),
      place(device, [length], new Float32Array(length).fill(5)),
    ];
    device.map(kernel, [a, b], [], [a, b]);
    expect(new Set(await device.read(a))).toEqual(new Set([5]));
    expect(new Set(await device.read(b))).toEqual(new Set([2]));
  }
});

withCompiler.each(['x + 1', 'x*sigmoid(x)', 'x*tanh(softplus(x))'])(
  'an output too large for the caches is what its parts are: %s',
  async (text) => {
    const [, device] = devices;
    if (device === undefined) throw new Error('no device');
    const kernel = mapKernel({ inputs: ['x'], scalars: [], outputs: [parse(text, ['x'])] });
    const half = 2 ** 21;
    const length = 2 * half + 100;
    const x = place(
      device,
      [length],
      Float32Array.from({ length }, (_, i) => Math.sin(i) * 9),
    );
    const [whole, parts] = [place(device, [length], new Float32Array(length)), device.allocate('float32', length)];
    device.map(kernel, [x], [], [whole]);
    const pieces = [0, half].map((offset) => {
      const shape = [offset === 0 ? half : length - half];
      const piece = { buffer: parts, offset, shape, strides: [1] };
      device.map(kernel, [{ ...x, offset, shape }], [], [piece]);
      return piece;
    });
    const [wanted, actual] = [await Promise.all(pieces.map((piece) => device.read(piece))), await device.read(whole)];
    expect(
      Buffer.compare(Buffer.from(actual.buffer), Buffer.concat(wanted.map(({ buffer }) => new Uint8Array(buffer)))),
    ).toBe(0);
  },
);

test('an output that is an input as well, or is not aligned, is not streamed past the caches', () => {
  const kernel = mapKernel({ inputs: ['x'], scalars: [], outputs: [parse('x + 1', ['x'])] });
  const names: string[] = [];
  const launcher = {
    kernel: (_: string, source: () => KernelSource) => {
      names.push(source().code);
      return { source: source() };
    },
    launch: () => undefined,
  };
  const view = (address: number, offset = 0): View => ({
    buffer: new NativeBuffer('float32', 2 ** 23, address),
    offset,
    shape: [2 ** 22],
    strides: [1],
  });
  const maps = new MapLauncher(launcher as unknown as Launcher);
  const x = view(2 ** 30);
  for (const output of [view(2 ** 31), x, view(2 ** 31, 1)]) maps.run(kernel, [x], [], [output]);
  expect(names.map((code) => code.includes('floats_stream'))).toEqual([true, false]);
});
