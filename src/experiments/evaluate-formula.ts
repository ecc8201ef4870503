import { formulaKernel, learnedValues, rowGradientKernel, rowValueKernel } from '../activations/evaluate.js';
import type { Activation, Gate, RowFunction } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import type { Device, View } from '../devices/device.js';

/** A contiguous float32 view of this shape, holding `values` if they are given. */
export function newView(device: Device, shape: readonly number[], values?: ArrayLike<number>): View {
  const length = shape.reduce((product, size) => product * size, 1);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const view = { buffer: device.allocate('float32', length), offset: 0, shape, strides };
  if (values !== undefined) device.write(values, view);
  return view;
}

/** Reads float32 results, also of a device that computes in float64. */
const readSingle = async (device: Device, view: View): Promise<number[]> =>
  Array.from(await device.read(view), Math.fround);

export interface Evaluation {
  /** The value at each point. */
  readonly y: readonly number[];
  /** The derivative by each input, in the formula's order. */
  readonly derivatives: readonly (readonly number[])[];
}

/**
 * The value and the derivatives of a formula on a device.
 * @param inputs one list for each input, of equal lengths
 */
export async function evaluateFormula(
  device: Device,
  formula: Activation | Gate,
  inputs: readonly (readonly number[])[],
): Promise<Evaluation> {
  const [length = 0, ...others] = inputs.map((values) => values.length);
  if (inputs.length !== formula.inputs.length || others.some((other) => other !== length)) {
    throw new SluiceError('shape', {
      rule: `${formula.name} takes as many values of each of ${formula.inputs.join(', ')}`,
      received: inputs.map((values) => values.length),
      remedy: 'Give one list for each, all of one length.',
    });
  }
  const kernel = formulaKernel(formula);
  const from = inputs.map((values) => newView(device, [length], values));
  const to = kernel.outputs.map(() => newView(device, [length]));
  device.map(kernel, from, learnedValues(formula), to);
  const [y = [], ...derivatives] = await Promise.all(to.map((view) => readSingle(device, view)));
  for (const { buffer } of [...from, ...to]) device.free(buffer);
  return { y, derivatives };
}

export interface RowEvaluation {
  readonly y: readonly number[];
  /** jacobian[i][j] is the derivative of y[i] by x[j]. */
  readonly jacobian: readonly (readonly number[])[];
}

/** A row function's value on one row, and its Jacobian by one gradient for each output. */
export async function evaluateRow(
  device: Device,
  formula: RowFunction,
  values: readonly number[],
): Promise<RowEvaluation> {
  const length = values.length;
  if (length === 0) return { y: [], jacobian: [] };
  const scalars = learnedValues(formula);
  const x = newView(device, [length], values);
  const row = { ...x, shape: [1, length], strides: [length, 1] };
  const y = newView(device, [1, length]);
  const common = { length, columns: [], perRow: [], scalars };
  device.row(rowValueKernel(formula), { ...common, rows: 1, elements: [row], outputs: [y] });
  const square = [length, length];
  const units = Float64Array.from({ length: length * length }, (_, i) => (i % (length + 1) === 0 ? 1 : 0));
  const cotangent = newView(device, square, units);
  const gradients = newView(device, square);
  const repeated = { ...x, shape: square, strides: [0, 1] };
  device.row(rowGradientKernel(formula), {
    ...common,
    rows: length,
    elements: [repeated, cotangent],
    outputs: [gradients],
  });
  const [value, flat] = [await readSingle(device, y), await readSingle(device, gradients)];
  for (const { buffer } of [x, y, cotangent, gradients]) device.free(buffer);
  return { y: value, jacobian: value.map((_, i) => flat.slice(i * length, (i + 1) * length)) };
}
