import { logSoftmax, softmax, solu } from '../../../src/activations/rows.js';
import type { Device, RowArguments, View } from '../../../src/devices/device.js';
import { atPosition, type Expression, substitute, variables } from '../../../src/scalar/expression.js';
import { RowProgram } from '../../../src/tensor/row-program.js';
import { place, randomValues } from '../../support/devices.js';

interface Rows {
  readonly rows: number;
  readonly length: number;
  readonly x: readonly number[];
}

export interface RowCase {
  readonly name: string;
  /** Everything that the operation and its gradient write. */
  readonly run: (on: Device, rows: Rows) => readonly View[];
}

const [x, targets, position, weight, bias, epsilon, length] = variables(
  'x',
  'targets',
  'position',
  'weight',
  'bias',
  'epsilon',
  'length',
);
const picked = position.sub(targets).abs().whereLess(0.5, x, 0).sum();
const likelihood = atPosition(substitute(logSoftmax.expression, { x }), { x: picked }).neg();
const rootMeanSquare = x.mul(x).sum().div(length).add(epsilon).sqrt();
const centred = x.sub(x.sum().div(length));
const deviation = centred.mul(centred).sum().div(length).add(epsilon).sqrt();

interface Operands {
  readonly columns?: readonly string[];
  readonly rows?: readonly string[];
  readonly scalars?: readonly string[];
}

function rowCase(name: string, output: Expression, { columns = [], rows = [], scalars = [] }: Operands = {}): RowCase {
  const program = new RowProgram(name, [output], { elements: ['x'], columns, rows, scalars });
  const gradient = program.gradient(['x', ...columns]);
  return { name, run: (on, given) => runBoth(program, gradient, on, given) };
}

function runBoth(program: RowProgram, gradient: ReturnType<RowProgram['gradient']>, on: Device, given: Rows): View[] {
  const { rows, length: along } = given;
  const values = (shape: readonly number[], seed: number): View => {
    const size = shape.reduce((a, b) => a * b, 1);
    return size === 0 ? { ...place(on, [1], [0]), shape } : place(on, shape, randomValues(size, seed));
  };
  const of = (extent: 'element' | 'row'): readonly number[] => (extent === 'element' ? [rows, along] : [rows]);
  const known = new Map<string, View>([
    ['x', along === 0 ? values([rows, 0], 0) : place(on, [rows, along], given.x)],
    ['weight', values([along], 20)],
    ['bias', values([along], 21)],
    // Among the targets are one that is ignored and one that no row has.
    ['targets', place(on, [rows], [0, 3, -100, 11, 5000].slice(0, rows), 'int32')],
    ...program.cotangents.map((name, k): [string, View] => [name, values(of(program.extents[k] ?? 'row'), 22 + k)]),
  ]);
  const views = (names: readonly string[]): View[] => names.flatMap((name) => known.get(name) ?? []);
  const scalars = program.scalars.map(() => 1e-5);
  const base: Pick<RowArguments, 'rows' | 'length' | 'scalars'> = { rows, length: along, scalars };
  const outputs = program.extents.map((extent) => values(of(extent), 30));
  const saved = gradient.saved.map((name) => {
    const view = values([rows], 31);
    known.set(name, view);
    return view;
  });
  const { elements, columns, rows: perRow } = program;
  const forward = { elements: views(elements), columns: views(columns), perRow: views(perRow) };
  on.row(gradient.forward, { ...base, ...forward, outputs: [...outputs, ...saved] });
  const kernel = program.rowGradientKernel(
    gradient,
    gradient.rowOutputs.map(() => false),
  );
  const inputGradients = gradient.rowOutputs.map(({ extent }) => values(of(extent), 32));
  const hoisted = [...gradient.hoisted.values()].map((name) => {
    const view = values([rows], 33);
    known.set(name, view);
    return view;
  });
  const read = { elements: views(kernel.elements), columns: views(kernel.columns), perRow: views(kernel.rows) };
  on.row(kernel, { ...base, ...read, outputs: [...inputGradients, ...hoisted] });
  const columnGradients = gradient.columnOutputs.map(() => values([along], 34));
  if (columnGradients.length > 0) {
    const expressions = gradient.columnOutputs.map(({ expression }) => expression);
    const sums = program.columnGradientKernel(gradient, expressions);
    const operands = { elements: views(sums.elements), columns: views(sums.columns), perRow: views(sums.rows) };
    on.column(sums, { ...base, ...operands, outputs: columnGradients }, true);
  }
  return [...outputs, ...saved, ...inputGradients, ...columnGradients].filter(({ shape }) => !shape.includes(0));
}

/** The row operations of language models, and one of more than one kind of reduction. */
export const rowCases: readonly RowCase[] = [
  rowCase('softmax', softmax.expression),
  rowCase('log-softmax', logSoftmax.expression),
  rowCase('SoLU', solu.expression),
  rowCase('cross-entropy', targets.whereLess(0, 0, likelihood), { rows: ['targets'] }),
  rowCase('RMSNorm', x.div(rootMeanSquare).mul(weight), { columns: ['weight'], scalars: ['epsilon'] }),
  rowCase('LayerNorm', centred.div(deviation).mul(weight).add(bias), {
    columns: ['weight', 'bias'],
    scalars: ['epsilon'],
  }),
];
