import { SluiceError } from '../base/errors.js';
import { type Expression, variablesOf } from '../scalar/expression.js';
import { stabilizeRows } from '../scalar/stable-rows.js';

/**
 * What a kernel computes, apart from any device: expressions and what their variables stand for. Kernels are interned,
 * so that a device can keep what it compiled for one under the object itself.
 */
const interned = new Map<string, unknown>();

function intern<K extends { readonly outputs: readonly Expression[] }>(kernel: K): K {
  const { outputs, ...names } = kernel;
  const key = `${JSON.stringify(names)} ${outputs.map((output) => output.id).join()}`;
  const known = interned.get(key);
  if (known !== undefined) return known as K;
  interned.set(key, kernel);
  return kernel;
}

function checkVariables(outputs: readonly Expression[], ...names: (readonly string[])[]): void {
  const known = names.flat();
  const unknown = variablesOf(outputs).filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new SluiceError('internal', {
      rule: `a kernel's variables are its operands ${known.join(', ')}`,
      received: unknown,
    });
  }
}

/** One value of each output for one of each input, over tensors of any shape. */
export interface MapKernel {
  readonly kind: 'map';
  /** Variables read from tensors; a stride of 0 repeats a value. */
  readonly inputs: readonly string[];
  /** Variables given as numbers with each call. */
  readonly scalars: readonly string[];
  /**
   * Inputs that every output is linear in, such as the gradients of results and sums so far. What they are multiplied
   * by counts as a result of its own, which float32 holds: a derivative is as accurate in a gradient as alone.
   */
  readonly weights: readonly string[];
  /**
   * The inputs are sums of products, which have been rounded by more than float32 arithmetic adds: it is enough, where
   * its functions are there.
   */
  readonly isRough: boolean;
  readonly outputs: readonly Expression[];
}

export function mapKernel(
  parts: Omit<MapKernel, 'kind' | 'weights' | 'isRough'> & Partial<Pick<MapKernel, 'weights' | 'isRough'>>,
): MapKernel {
  checkVariables(parts.outputs, parts.inputs, parts.scalars);
  const { inputs, scalars, weights = [], isRough = false, outputs } = parts;
  return intern({ kind: 'map', inputs, scalars, weights, isRough, outputs });
}

/** The operands of kernels that run along the rows of a matrix [rows, length]. */
export interface RowOperands {
  /** Variables with a value for each element, [rows, length]. */
  readonly elements: readonly string[];
  /** Variables with a value for each position, [length], the same for every row. */
  readonly columns: readonly string[];
  /** Variables with a value for each row, [rows]. */
  readonly rows: readonly string[];
  /** Variables given as numbers with each call. */
  readonly scalars: readonly string[];
}

/** Variables that every row kernel may use: the index along the row, and the row's length. */
export const rowBuiltins = { position: 'position', length: 'length' } as const;

/** Row expressions: elementwise formulas with reductions along the row. An output is [rows, length] or [rows]. */
export interface RowKernel extends RowOperands {
  readonly kind: 'row';
  readonly outputs: readonly Expression[];
}

/** A kernel of the expressions' accurate forms: differentiate before, not after. */
export function rowKernel(parts: Partial<RowOperands> & { readonly outputs: readonly Expression[] }): RowKernel {
  const { elements = [], columns = [], rows = [], scalars = [] } = parts;
  checkVariables(parts.outputs, elements, columns, rows, scalars, Object.values(rowBuiltins));
  const operands = { elements, columns, rows, scalars };
  const along = elementVariables(operands);
  return intern({ kind: 'row', ...operands, outputs: parts.outputs.map((output) => stabilizeRows(output, along)) });
}

/** Which variables run along the row. */
export const elementVariables = (kernel: RowOperands): ReadonlySet<string> =>
  new Set([...kernel.elements, ...kernel.columns, rowBuiltins.position]);

/** Sums of elementwise formulas over the rows of a matrix: each output is [length]. */
export interface ColumnKernel extends RowOperands {
  readonly kind: 'column';
  readonly outputs: readonly Expression[];
}

export function columnKernel(parts: Partial<RowOperands> & { readonly outputs: readonly Expression[] }): ColumnKernel {
  const { elements = [], columns = [], rows = [], scalars = [], outputs } = parts;
  checkVariables(outputs, elements, columns, rows, scalars, Object.values(rowBuiltins));
  return intern({ kind: 'column', elements, columns, rows, scalars, outputs });
}
