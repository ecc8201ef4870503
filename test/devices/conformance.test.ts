import { describe, expect, test } from 'vitest';
import { randomKey } from '../../src/base/random.js';
import type { Device, View } from '../../src/devices/device.js';
import { columnKernel, mapKernel, rowKernel } from '../../src/kernels/kernel.js';
import type { WindowShape } from '../../src/kernels/windows.js';
import { variable } from '../../src/scalar/expression.js';
import { openDevices, place, randomValues } from '../support/devices.js';

const { reference, others } = await openDevices();

/** Runs the same work on a device and on the reference and compares what it wrote. */
async function agrees(device: Device, work: (on: Device) => readonly View[], tolerance = 1e-6): Promise<void> {
  const [actual, expected] = await Promise.all(
    [device, reference].map(async (on) => Promise.all(work(on).map((view) => on.read(view)))),
  );
  actual?.forEach((values, i) => {
    const exact = [...(expected?.[i] ?? [])];
    expect(values.length).toBe(exact.length);
    const scale = Math.max(1, ...exact.filter(Number.isFinite).map(Math.abs));
    [...values].forEach((value, at) => {
      const difference = Math.abs(value - (exact[at] ?? Number.NaN));
      if (!(difference <= tolerance * scale)) expect({ at, value }).toEqual({ at, value: exact[at] });
    });
  });
}

const [x, y, weight, target, position, length] = ['x', 'y', 'weight', 'target', 'position', 'length'].map(
  variable,
) as V;
type V = [X, X, X, X, X, X];
type X = ReturnType<typeof variable>;
const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);

interface WindowCase extends WindowShape {
  readonly image: readonly [images: number, channels: number, height: number, width: number];
  readonly kernel: readonly [height: number, width: number];
  readonly rows: readonly [rows: number, columns: number];
}
const windowCases: readonly WindowCase[] = [
  { image: [1, 1, 3, 3], kernel: [1, 1], rows: [3, 3], stride: [1, 1], padding: [0, 0], dilation: [1, 1] },
  { image: [3, 2, 9, 11], kernel: [3, 5], rows: [7, 7], stride: [1, 1], padding: [0, 0], dilation: [1, 1] },
  { image: [2, 7, 8, 6], kernel: [3, 2], rows: [4, 4], stride: [2, 3], padding: [1, 2], dilation: [1, 2] },
  { image: [5, 6, 1, 40], kernel: [1, 4], rows: [1, 40], stride: [1, 1], padding: [0, 9], dilation: [1, 3] },
  { image: [2, 33, 20, 1], kernel: [3, 1], rows: [20, 1], stride: [1, 1], padding: [2, 0], dilation: [1, 1] },
  { image: [2, 3, 4, 2], kernel: [5, 9], rows: [4, 3], stride: [3, 4], padding: [6, 8], dilation: [2, 1] },
];
/** The axes in memory: channels outermost, innermost, and outermost in windows alone; and the way back. */
const windowLayouts = [
  { image: [0, 1, 2, 3], windows: [0, 1, 2, 3, 4, 5] },
  { image: [0, 2, 3, 1], windows: [3, 4, 5, 1, 2, 0] },
  { image: [0, 2, 3, 1], windows: [0, 1, 2, 3, 4, 5] },
].map((order) => {
  const back = (axes: readonly number[]): number[] => axes.map((_, axis) => axes.indexOf(axis));
  return [order, { image: back(order.image), windows: back(order.windows) }] as const;
});
const permuted = (sizes: readonly number[], axes: readonly number[]): number[] => axes.map((axis) => sizes[axis] ?? 1);
const ordered = (view: View, axes: readonly number[]): View => ({
  ...view,
  shape: permuted(view.shape, axes),
  strides: permuted(view.strides, axes),
});

const lengths = [1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 33, 64, 100];

describe.each(others.map((device) => [device.description, device] as const))('%s', (_, device) => {
  test.each(lengths)('row kernels reduce rows of %i', async (n) => {
    const softmax = x.sub(x.maximum()).exp().div(x.sub(x.maximum()).exp().sum());
    const normalized = x.div(x.mul(x).sum().div(length).add(1e-5).sqrt()).mul(weight);
    const picked = position.sub(target).abs().whereLess(0.5, x, 0).sum();
    const kernel = rowKernel({
      elements: ['x'],
      columns: ['weight'],
      rows: ['target'],
      outputs: [softmax, normalized, picked, x.maximum(), x.sum().add(picked).exp()],
    });
    const rows = 13;
    await agrees(device, (on) => {
      const outputs = [[rows, n], [rows, n], [rows], [rows], [rows]].map((shape) =>
        place(on, shape, zeros(shape.reduce((a, b) => a * b, 1))),
      );
      on.row(kernel, {
        rows,
        length: n,
        elements: [place(on, [rows, n], randomValues(rows * n, 1))],
        columns: [place(on, [n], randomValues(n, 2))],
        perRow: [
          place(
            on,
            [rows],
            Array.from({ length: rows }, (_, i) => i % n),
            'int32',
          ),
        ],
        scalars: [],
        outputs,
      });
      return outputs;
    });
  });

  test.each(lengths)('column kernels sum over rows into %i columns', async (n) => {
    const kernel = columnKernel({
      elements: ['x', 'y'],
      rows: ['target'],
      scalars: ['weight'],
      outputs: [x.mul(y).mul(target), x.mul(weight).exp()],
    });
    const rows = 29;
    for (const accumulate of [false, true]) {
      await agrees(device, (on) => {
        const outputs = [place(on, [n], randomValues(n, 6)), place(on, [n], randomValues(n, 7))];
        const operands = {
          rows,
          length: n,
          elements: [place(on, [rows, n], randomValues(rows * n, 3)), place(on, [rows, n], randomValues(rows * n, 4))],
          columns: [],
          perRow: [place(on, [rows], randomValues(rows, 5))],
          scalars: [0.5],
          outputs,
        };
        on.column(kernel, operands, accumulate);
        return outputs;
      });
    }
  });

  test('map kernels take any strides, repeated and reversed axes among them', async () => {
    const kernel = mapKernel({
      inputs: ['x', 'y'],
      scalars: ['weight'],
      outputs: [x.mul(y).add(weight), x.sub(y).tanh()],
    });
    await agrees(device, (on) => {
      const base = place(on, [6, 7, 8], randomValues(336, 8));
      const transposed = { ...base, shape: [8, 6, 7], strides: [1, 56, 8] };
      const repeated = { ...place(on, [6, 1], randomValues(6, 9)), shape: [8, 6, 7], strides: [0, 1, 0] };
      const outputs = [place(on, [8, 6, 7], zeros(336)), place(on, [8, 6, 7], zeros(336))];
      on.map(kernel, [transposed, repeated], [0.25], outputs);
      return outputs;
    });
  });

  test('map kernels turn windows of many short rows in place', async () => {
    const outputs = [x.mul(weight).sub(y.tanh()), y.mul(weight).add(x.sigmoid())];
    const kernel = mapKernel({ inputs: ['x', 'y'], scalars: ['weight'], outputs });
    for (const half of [...lengths, 200, 300]) {
      await agrees(device, (on) => {
        const [outer, rows, columns] = [3, 50, 2 * half + 5];
        const base = place(on, [outer, rows, columns], randomValues(outer * rows * columns, half));
        const window = (start: number): View => ({ ...base, offset: start, shape: [outer, rows - 1, half] });
        const windows = [window(1), window(half + 3)];
        on.map(kernel, windows, [0.5], windows);
        return [base];
      });
    }
  });

  test('matmul multiplies batches of strided matrices', async () => {
    for (const [batch, m, n, k] of [
      [1, 1, 1, 1],
      [2, 5, 7, 3],
      [1, 1, 65, 33],
      [3, 64, 48, 37],
      [1, 130, 70, 300],
    ] as const) {
      for (const accumulate of [false, true]) {
        await agrees(
          device,
          (on) => {
            const a = place(on, [batch, m, k], randomValues(batch * m * k, 10));
            const transposed = place(on, [batch, n, k], randomValues(batch * n * k, 11));
            const b = { ...transposed, shape: [batch, k, n], strides: [n * k, 1, k] };
            const c = place(on, [batch, m, n], randomValues(batch * m * n, 12));
            on.matmul(a, b, c, accumulate);
            return [c];
          },
          1e-5,
        );
      }
    }
  });

  test('random numbers depend on the key and the index alone', async () => {
    for (const distribution of ['uniform', 'normal'] as const) {
      for (const count of [1, 7, 8, 9, 100, 40_003]) {
        await agrees(device, (on) => {
          const output = place(on, [count], zeros(count));
          on.random(distribution, randomKey(7, 'dropout', count), output);
          return [output];
        });
      }
    }
  });

  test('gather reads rows, scatterAdd adds them up where indices repeat', async () => {
    await agrees(device, (on) => {
      const table = place(on, [9, 21], randomValues(189, 13));
      const indices = place(on, [6], [3, 3, 0, 8, 3, 1], 'int32');
      const output = place(on, [6, 21], zeros(126));
      on.gather(table, indices, output);
      on.scatterAdd(output, indices, table);
      return [output, table];
    });
  });

  test.each(windowCases)('unfold takes windows and fold adds them up: %j', async ({
    image,
    kernel,
    rows,
    ...shape
  }) => {
    const [images, channels, height, width] = image;
    const pixels = images * channels * height * width;
    const sizes = [channels, ...kernel, images, ...rows];
    const count = sizes.reduce((a, b) => a * b, 1);
    for (const [order, back] of windowLayouts) {
      await agrees(device, (on) => {
        const from = ordered(place(on, permuted(image, order.image), randomValues(pixels, 21)), back.image);
        const windows = ordered(place(on, permuted(sizes, order.windows), zeros(count)), back.windows);
        on.unfold(shape, from, windows);
        const sums = [zeros(pixels), randomValues(pixels, 22)].map((values, i) => {
          const to = ordered(place(on, permuted(image, order.image), values), back.image);
          on.fold(shape, windows, to, i === 1);
          return to;
        });
        return [windows, ...sums];
      });
    }
  });
});
