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

/** Copies x: no function of one input can be faster. */
export const copyKernel = mapKernel({ inputs: ['x'], scalars: [], outputs: [variable('x')] });

/** Times the copy of an array. */
export async function copySpeed(device: Device, options: SpeedOptions): Promise<Speed> {
  return withViews(device, options, 2, ([from, to]) =>
    timed(device, options, () =>
      device.map(copyKernel, from === undefined ? [] : [from], [], to === undefined ? [] : [to]),
    ),
  );
}

/** Times a formula's value and its gradient on a device. */
export async function formulaSpeed(device: Device, formula: Formula, options: SpeedOptions): Promise<FormulaSpeed> {
  return withViews(device, options, 2 * formula.inputs.length + 1, async (views) => {
    const passes = formulaPasses(device, formula, views);
    const value = await timed(device, options, passes.value);
    return { name: formula.name, value, gradient: await timed(device, options, passes.gradient) };
  });
}

/** What back-propagation runs of a formula, as calls that queue one pass each. */
export interface FormulaPasses {
  /** From the inputs to the first output. */
  readonly value: () => void;
  /** From the inputs and the cotangent to the outputs, the gradient by every input. */
  readonly gradient: () => void;
}

/**
 * The passes of an elementwise formula or a row function over views that are there.
 * @param views the inputs, as many outputs, and the cotangent: contiguous, of one length; a row function has rows of
 * `benchRowLength`, or one shorter row.
 */
export function formulaPasses(device: Device, formula: Formula, views: readonly View[]): FormulaPasses {
  const count = formula.inputs.length;
  const [inputs, outputs, cotangent] = [views.slice(0, count), views.slice(count, 2 * count), views.slice(2 * count)];
  const scalars = learnedValues(formula);
  if (isRowFunction(formula)) {
    const size = views[0]?.buffer.length ?? 0;
    const length = Math.min(benchRowLength, size);
    const rows = Math.floor(size / length);
    const inRows = (flat: readonly View[]): View[] =>
      flat.map((view) => ({ ...view, shape: [rows, length], strides: [length, 1] }));
    const common = { rows, length, columns: [], perRow: [], scalars, outputs: inRows(outputs) };
    const [forward, backward] = [rowValueKernel(formula, false), rowGradientKernel(formula, false)];
    return {
      value: () => device.row(forward, { ...common, elements: inRows(inputs) }),
      gradient: () => device.row(backward, { ...common, elements: inRows([...inputs, ...cotangent]) }),
    };
  }
  if (!isElementwise(formula)) throw new TypeError('a formula is elementwise or a row function');
  const [forward, backward] = [formulaKernel(formula, 'value'), gradientKernel(formulaKernel(formula, 'derivatives'))];
  return {
    value: () => device.map(forward, inputs, scalars, outputs.slice(0, 1)),
    gradient: () => device.map(backward, [...inputs, ...cotangent], scalars, outputs),
  };
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
