import {
  formulaKernel,
  isElementwise,
  isRowFunction,
  learnedValues,
  rowGradientKernel,
  rowValueKernel,
} from '../activations/evaluate.js';
import type { Formula } from '../activations/kinds.js';
import type { Device, View } from '../devices/device.js';
import { type MapKernel, mapKernel } from '../kernels/kernel.js';
import { variable } from '../scalar/expression.js';
import { newView } from './evaluate-formula.js';

/** How long a pass over every element takes; medians of several. */
export interface Speed {
  readonly nanosecondsPerElement: number;
  /** 10^9 elements in a second. */
  readonly gigaelementsPerSecond: number;
}

export interface FormulaSpeed {
  readonly name: string;
  /** The value alone. */
  readonly value: Speed;
  /** The gradient by every input, from the inputs and the gradient of the output. */
  readonly gradient: Speed;
}

export interface SpeedOptions {
  readonly elements: number;
  /** Timed passes, after one that is not. */
  readonly repetitions: number;
}

/** The length of the rows on which row functions are timed. */
export const benchRowLength = 1024;

async function timed(device: Device, options: SpeedOptions, pass: () => void): Promise<Speed> {
  const times: number[] = [];
  for (let i = 0; i <= options.repetitions; i++) {
    const start = performance.now();
    pass();
    await device.synchronize();
    times.push(performance.now() - start);
  }
  // The first pass compiles the kernel.
  const sorted = times.slice(1).sort((a, b) => a - b);
  const milliseconds = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  return {
    nanosecondsPerElement: (milliseconds * 1e6) / options.elements,
    gigaelementsPerSecond: options.elements / (milliseconds * 1e6),
  };
}

/** Inputs as a network has them: from -4 to 4, in no order that a branch could learn. */
function inputView(device: Device, elements: number): View {
  const values = new Float32Array(elements);
  for (let i = 0; i < elements; i++) values[i] = (((i * 2654435761) >>> 8) & 0xffff) / 8192 - 4;
  return newView(device, [elements], values);
}

/** Times the copy of an array: no function of one input can be faster. */
export async function copySpeed(device: Device, options: SpeedOptions): Promise<Speed> {
  const kernel = mapKernel({ inputs: ['x'], scalars: [], outputs: [variable('x')] });
  return withViews(device, options, 2, ([from, to]) =>
    timed(device, options, () =>
      device.map(kernel, from === undefined ? [] : [from], [], to === undefined ? [] : [to]),
    ),
  );
}

/** Times a formula's value and its gradient on a device. */
export async function formulaSpeed(device: Device, formula: Formula, options: SpeedOptions): Promise<FormulaSpeed> {
  if (isRowFunction(formula)) return rowSpeed(device, formula, options);
  if (!isElementwise(formula)) throw new TypeError('a formula is elementwise or a row function');
  const scalars = learnedValues(formula);
  const count = formula.inputs.length;
  return withViews(device, options, 2 * count + 1, async (views) => {
    const [inputs, outputs, cotangent] = [views.slice(0, count), views.slice(count, 2 * count), views.slice(2 * count)];
    const run = (kernel: MapKernel, from: readonly View[], to: readonly View[]) => (): void =>
      device.map(kernel, from, scalars, to);
    const value = await timed(device, options, run(formulaKernel(formula, 'value'), inputs, outputs.slice(0, 1)));
    const backward = run(gradientKernel(formulaKernel(formula, 'derivatives')), [...inputs, ...cotangent], outputs);
    return { name: formula.name, value, gradient: await timed(device, options, backward) };
  });
}

/** The derivatives times the gradient of the output: what back-propagation runs. */
function gradientKernel({ inputs, scalars, outputs }: MapKernel): MapKernel {
  const cotangent = variable('cotangent');
  return mapKernel({
    inputs: [...inputs, 'cotangent'],
    scalars,
    weights: ['cotangent'],
    outputs: outputs.map((derivative) => derivative.mul(cotangent)),
  });
}

async function rowSpeed(
  device: Device,
  formula: Formula & Parameters<typeof rowValueKernel>[0],
  options: SpeedOptions,
): Promise<FormulaSpeed> {
  const length = Math.min(benchRowLength, options.elements);
  const rows = Math.floor(options.elements / length);
  return withViews(device, options, 3, async (flat) => {
    const [x, cotangent, output] = flat.map((view) => ({ ...view, shape: [rows, length], strides: [length, 1] }));
    if (x === undefined || cotangent === undefined || output === undefined) throw new TypeError('three views');
    const common = { rows, length, columns: [], perRow: [], scalars: learnedValues(formula), outputs: [output] };
    const [forward, backward] = [rowValueKernel(formula), rowGradientKernel(formula)];
    const value = await timed(device, options, () => device.row(forward, { ...common, elements: [x] }));
    const gradient = await timed(device, options, () => device.row(backward, { ...common, elements: [x, cotangent] }));
    return { name: formula.name, value, gradient };
  });
}

async function withViews<T>(
  device: Device,
  { elements }: SpeedOptions,
  count: number,
  use: (views: readonly View[]) => Promise<T>,
): Promise<T> {
  const views = Array.from({ length: count }, () => inputView(device, elements));
  try {
    return await use(views);
  } finally {
    for (const { buffer } of views) device.free(buffer);
  }
}
