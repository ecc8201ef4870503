import { SluiceError, show } from '../../base/errors.js';
import { completeOptions, type OptionTable } from '../../base/options.js';
import type { RowArguments, View } from '../../devices/device.js';
import type { Expression } from '../../scalar/expression.js';
import { startNode } from '../autograd.js';
import { viewOf } from '../compute.js';
import { ProgramCache, sameItems } from '../map-program.js';
import { type OperandKind, RowProgram } from '../row-program.js';
import { asMatrix, broadcastShapes, expandLayout, isPacked, packed, type Shape, sameShape, sizeOf } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { layoutOf, temporary, withSuited } from './copies.js';
import type { Mapped, Scalars, Tensors } from './map.js';
import { checkDevice, checkFloat } from './operands.js';
import { RowBackward, type RowInput } from './rows-backward.js';

/** The operands of a row operation, by the names that its expressions use. */
export interface RowTensors {
  /** [..., length]; they broadcast among each other. */
  readonly elements: Tensors;
  /** [length]: the same for every row. */
  readonly columns?: Tensors;
  /** [...] or [..., 1]: one value for each row; int32 ones (targets) have no gradient. */
  readonly rows?: Tensors;
}

const noRows = { elements: undefined, columns: {}, rows: {} } satisfies OptionTable<RowTensors>;

const cache = new ProgramCache<RowProgram>();

/**
 * Row expressions (formulas with reductions) along the last axis, as one kernel; the gradient is derived from them and
 * runs as one row kernel, and one column kernel for columns. A result is [..., length], or [...] where the expression
 * has one value for the row. Expressions may also use `position`, the index along the row, and `length`.
 * @throws SluiceError `shape` where the operands do not fit each other.
 */
export function rowTensors<const Outputs extends readonly Expression[]>(
  outputs: Outputs,
  tensors: RowTensors,
  scalars: Scalars = {},
  operation = 'row',
): Mapped<Outputs> {
  const { elements, columns, rows } = completeOptions(operation, tensors, noRows);
  const names = {
    elements: Object.keys(elements),
    columns: Object.keys(columns),
    rows: Object.keys(rows),
    scalars: Object.keys(scalars),
  };
  const matches = (known: RowProgram): boolean =>
    sameItems(known.elements, names.elements) &&
    sameItems(known.columns, names.columns) &&
    sameItems(known.rows, names.rows) &&
    sameItems(known.scalars, names.scalars);
  const program = cache.find(outputs, matches, () => new RowProgram(operation, outputs, names));
  const operands = {
    elements: Object.values(elements),
    columns: Object.values(columns),
    rows: Object.values(rows),
    scalars: Object.values(scalars),
  };
  const [first] = operands.elements;
  if (first === undefined) {
    throw new SluiceError('argument', {
      rule: `${operation} takes at least one tensor of elements`,
      received: 'none',
      remedy: 'Give the tensor whose rows the expressions run along as one of the elements.',
    });
  }
  const all = [...operands.elements, ...operands.columns, ...operands.rows];
  checkDevice(operation, first, all);
  checkFloat(operation, [...operands.elements, ...operands.columns]);
  const shape = broadcastShapes(operation, ...operands.elements.map((tensor) => tensor.shape));
  checkOperands(operation, shape, columns, rows);
  const suits = (tensor: Tensor, i: number): boolean =>
    i < operands.elements.length ? asMatrix(expandLayout(tensor, shape)) !== undefined : isPacked(tensor);
  const results = all.every(suits)
    ? run(program, operation, shape, all, operands.scalars)
    : withAllSuited(all, shape, operands.elements.length, suits, (suited) =>
        run(program, operation, shape, suited, operands.scalars),
      );
  return results as Mapped<Outputs>;
}

function checkOperands(operation: string, shape: Shape, columns: Tensors, rows: Tensors): void {
  const leading = shape.slice(0, -1);
  const refuse = (rule: string, received: Shape): never => {
    const remedy = 'Give whole tensors as elements, one value a column as columns and one value a row as rows.';
    throw new SluiceError('shape', { rule: `${operation} along rows of ${show(shape)} ${rule}`, received, remedy });
  };
  if (shape.length === 0) refuse('needs an axis to run along', shape);
  for (const [name, tensor] of Object.entries(columns)) {
    if (!sameShape(tensor.shape, shape.slice(-1))) refuse(`takes ${name} as [${shape.at(-1)}]`, tensor.shape);
  }
  for (const [name, tensor] of Object.entries(rows)) {
    if (!sameShape(tensor.shape, leading) && !sameShape(tensor.shape, [...leading, 1]))
      refuse(`takes ${name} as ${show(leading)}`, tensor.shape);
  }
}

/** Copies what does not lie as kernels need it; elements that only repeat along rows stay as they are. */
function withAllSuited<T>(
  tensors: readonly Tensor[],
  shape: Shape,
  elements: number,
  suits: (tensor: Tensor, i: number) => boolean,
  operation: (suited: readonly Tensor[]) => T,
  done: readonly Tensor[] = [],
): T {
  const i = done.length;
  const next = tensors[i];
  if (next === undefined) return operation(done);
  if (suits(next, i)) return withAllSuited(tensors, shape, elements, suits, operation, [...done, next]);
  return withSuited(
    next,
    false,
    (copy) => withAllSuited(tensors, shape, elements, suits, operation, [...done, copy]),
    i < elements ? expandLayout(next, shape) : layoutOf(next),
  );
}

/** The operands in the order elements, columns, rows, lying as kernels need them. */
function run(
  program: RowProgram,
  operation: string,
  shape: Shape,
  tensors: readonly Tensor[],
  scalars: readonly number[],
): Tensor[] {
  const [first] = tensors;
  if (first === undefined) return [];
  const { device } = first;
  const [length, leading] = [shape.at(-1) ?? 1, shape.slice(0, -1)];
  const rows = sizeOf(leading);
  const node = startNode(operation, tensors);
  const wanted = program.operands.flatMap(({ name }, i) => (tensors[i]?.source === undefined ? [] : [name]));
  const gradient = node === undefined ? undefined : program.gradient(wanted);
  const inputs = tensors.map((tensor, i): RowInput => {
    const { name = '', kind = 'element' } = program.operands[i] ?? {};
    const wide = kind === 'element' ? expandLayout(tensor, shape) : tensor;
    const flat = kind === 'element' ? (asMatrix(wide) ?? wide) : packed([tensor.size], tensor.offset);
    const { source, storage } = tensor;
    const view = viewOf(tensor.strided(), flat);
    if (source === undefined) return { name, kind, view, input: undefined, storage };
    const isOwn =
      gradient?.needs.includes(name) === true && tensors.every((one, k) => k === i || one.storage !== storage);
    const input = { source, layout: layoutOf(wide), values: isOwn ? storage : undefined };
    return { name, kind, view, input, storage };
  });
  const results = program.extents.map((extent) => {
    const resultShape = extent === 'element' ? shape : leading;
    return first.make('float32', resultShape, node?.output(resultShape));
  });
  const saved = (gradient?.saved ?? []).map(() => first.make('float32', [rows], undefined));
  const outputs = results.map((result, k): View => {
    const view = result.strided();
    return viewOf(view, program.extents[k] === 'element' ? packed([rows, length]) : packed([rows]));
  });
  const view = (kind: OperandKind): View[] => inputs.flatMap((one) => (one.kind === kind ? [one.view] : []));
  const operands: RowArguments = {
    rows,
    length,
    elements: view('element'),
    columns: view('column'),
    perRow: view('row'),
    scalars,
    outputs: [...outputs, ...saved.map((one) => one.strided())],
  };
  device.row(gradient?.forward ?? program.kernel, operands);
  if (node !== undefined && gradient !== undefined) {
    const kept = saved.map((one, i) => ({ name: gradient.saved[i] ?? '', view: one.strided() }));
    const backward = new RowBackward(program, gradient, first.storage.tracker, { rows, length, scalars }, inputs, kept);
    const needed = inputs.filter(({ name }) => gradient.needs.includes(name)).map(({ storage }) => storage);
    node.finish([...needed, ...saved.map(({ storage }) => storage)], (cotangents, isLast) =>
      backward.run(cotangents, isLast),
    );
  }
  for (const one of saved) one.letGo(temporary);
  return results;
}
