import type { Device, View } from '../../devices/device.js';
import { type Source, startNode } from '../autograd.js';
import type { CellProgram } from '../cell-program.js';
import { fill, viewOf } from '../compute.js';
import type { MapProgram } from '../map-program.js';
import { packed, sliceLayout } from '../shape.js';
import { Storage } from '../storage.js';
import type { Tensor } from '../tensor.js';
import { temporary } from './copies.js';
import { multiply, swapped } from './matmul.js';
import { RecurrenceBackward } from './recurrence-backward.js';

/** What a step's output goes through before it is fed back and given out. */
export interface Projection {
  /** [outputs, hidden]. */
  readonly weight: Tensor;
  /** [outputs]; only with a program. */
  readonly bias: Tensor | undefined;
  /** Of inputs the product, and the bias if there is one; the product itself where there is none. */
  readonly program: MapProgram | undefined;
}

/** All float32, packed and of shapes that fit; the weights as PyTorch has them. */
export interface RecurrenceOperands {
  /** The inputs of all steps, [rows, inputs]. */
  readonly x: Tensor;
  /** [gates hidden, inputs]. */
  readonly inputWeight: Tensor;
  /** [gates hidden, outputs]. */
  readonly recurrentWeight: Tensor;
  /** [columns hidden], in the order of the program's columns. */
  readonly bias: Tensor | undefined;
  /** The states before the first step, [batch, width]; 0 where there is none. */
  readonly initial: readonly (Tensor | undefined)[];
  readonly projection: Projection | undefined;
}

/** The rows of one step among those of all. */
export interface Step {
  readonly start: number;
  readonly count: number;
}

/** A tensor for as long as the graph needs it: its handle may go before. */
export interface Operand {
  readonly view: View;
  readonly source: Source | undefined;
}

const operandOf = (tensor: Tensor): Operand => ({ view: tensor.strided(), source: tensor.source });
const optional = (tensor: Tensor | undefined): Operand | undefined => tensor && operandOf(tensor);

/** What the forward pass leaves for backward: views over all rows. */
export interface RecurrenceRecord {
  readonly program: CellProgram;
  readonly x: Operand;
  readonly inputWeight: Operand;
  readonly recurrentWeight: Operand;
  readonly bias: Operand | undefined;
  /** The states before the first step, where some are given. */
  readonly given: readonly (Operand | undefined)[];
  readonly steps: readonly Step[];
  readonly hidden: number;
  /** The pre-activations without their biases, [rows, columns hidden]. */
  readonly gates: View;
  /** The states after each step, [rows, width]. */
  readonly histories: readonly View[];
  /** The states before the first step. */
  readonly initial: readonly View[];
  readonly projection: ProjectionRecord | undefined;
}

export interface ProjectionRecord {
  readonly weight: Operand;
  readonly bias: Operand | undefined;
  readonly program: MapProgram | undefined;
  /** What goes into it, [rows, hidden]. */
  readonly from: View;
  /** What comes out of its product, [rows, outputs]. */
  readonly product: View;
}

export const rowsOf = (view: View, { start, count }: Step): View =>
  viewOf(view, sliceLayout(view, 0, start, start + count));

/** Columns `from` to `from + count` in units of `width`. */
export const columnsOf = (view: View, width: number, from: number, count = 1): View =>
  viewOf(view, sliceLayout(view, 1, from * width, (from + count) * width));

/** The inputs of the cell's kernel at one step; `rows` takes the rows of what has a row for each. */
export function cellInputs(record: RecurrenceRecord, t: number): View[] {
  const { program, bias, steps, hidden } = record;
  const step = steps[t] ?? { start: 0, count: 0 };
  const gates = rowsOf(record.gates, step);
  const views = program.columns.map((_, i) => columnsOf(gates, hidden, i));
  if (bias !== undefined) {
    const { buffer, offset } = bias.view;
    const layout = { shape: [step.count, hidden], strides: [0, 1] };
    for (const i of program.columns.keys()) views.push({ buffer, offset: offset + i * hidden, ...layout });
  }
  for (const state of program.reads) views.push(stateBefore(record, state, t));
  return views;
}

/** A state before a step, of the sequences that the step has. */
export function stateBefore({ histories, initial, steps }: RecurrenceRecord, state: number, t: number): View {
  const { count = 0 } = steps[t] ?? {};
  const before = steps[t - 1];
  const view = (before === undefined ? initial[state] : histories[state]) as View;
  return rowsOf(view, { start: before?.start ?? 0, count });
}

/** What the projection's kernel reads at one step. */
export function projectionInputs(product: View, bias: Operand | undefined): View[] {
  if (bias === undefined) return [product];
  const { buffer, offset } = bias.view;
  return [product, { buffer, offset, shape: product.shape, strides: [0, 1] }];
}

/**
 * Runs a cell over sequences, step by step: the products of all inputs at once, then for each step one product with the
 * outputs before it and one kernel. `sizes` has the number of sequences at each step, which never rises: the rows of x
 * are those of the first step, then those of the second, and so on, longest sequence first.
 * Gives the states after each step, [rows, width] each, in the order of the cell's states.
 */
export function recurrence(program: CellProgram, operands: RecurrenceOperands, sizes: readonly number[]): Tensor[] {
  const { x, inputWeight, recurrentWeight, bias, initial, projection } = operands;
  const [rows = 0] = x.shape;
  const hidden = (inputWeight.shape[0] ?? 0) / program.gates;
  const outputs = recurrentWeight.shape[1] ?? hidden;
  const inputs = [x, inputWeight, recurrentWeight, bias, ...initial, projection?.weight, projection?.bias];
  const given = inputs.filter((input) => input !== undefined);
  const node = startNode(program.cell.name, given);
  const results = program.cell.states.map((_, i) => {
    const shape = [rows, i === 0 ? outputs : hidden];
    return x.make('float32', shape, node?.output(shape));
  });
  const { tracker } = x.storage;
  const own: Storage[] = [];
  const allocate = (shape: readonly number[]): View => {
    const storage = new Storage(tracker, 'float32', shape);
    storage.hold();
    own.push(storage);
    return { buffer: storage.buffer, ...packed(shape) };
  };
  const zeros = (width: number): View => {
    const view = allocate([sizes[0] ?? 0, width]);
    fill(x.device, view, 0);
    return view;
  };
  const histories = results.map((result) => result.strided());
  const record: RecurrenceRecord = {
    ...{ program, hidden, histories },
    x: operandOf(x),
    inputWeight: operandOf(inputWeight),
    recurrentWeight: operandOf(recurrentWeight),
    bias: optional(bias),
    given: initial.map(optional),
    steps: stepsOf(sizes),
    gates: allocate([rows, program.columns.length * hidden]),
    initial: results.map(({ shape }, i) => initial[i]?.strided() ?? zeros(shape[1] ?? 0)),
    projection: projection && {
      weight: operandOf(projection.weight),
      bias: optional(projection.bias),
      program: projection.program,
      from: allocate([rows, hidden]),
      product: projection.program === undefined ? (histories[0] as View) : allocate([rows, outputs]),
    },
  };
  forward(x.device, record);
  node?.finish([...given, ...results].map(({ storage }) => storage).concat(own), (cotangents, isLast) => {
    new RecurrenceBackward(tracker, record, cotangents, isLast).run();
  });
  for (const storage of own) storage.letGo(temporary);
  return results;
}

function stepsOf(sizes: readonly number[]): Step[] {
  let end = 0;
  return sizes.map((count) => {
    const start = end;
    end += count;
    return { start, count };
  });
}

function forward(device: Device, record: RecurrenceRecord): void {
  const { program, x, inputWeight, hidden, gates } = record;
  for (const { row, column, count } of program.segments) {
    const rows = rowsOf(inputWeight.view, { start: row * hidden, count: count * hidden });
    multiply(device, x.view, swapped(rows), columnsOf(gates, hidden, column, count), false);
  }
  const { recurrent, gates: count, columns } = program;
  const alone = columns.length - count;
  // The recurrent products are added to what is there: the last columns have nothing yet where gates stay apart.
  if (alone > 0) fill(device, columnsOf(gates, hidden, columns.length - alone, alone), 0);
  const recurrentWeight = swapped(record.recurrentWeight.view);
  for (const [t, step] of record.steps.entries()) {
    if (t > 0 || record.given[0] !== undefined) {
      const block = columnsOf(rowsOf(gates, step), hidden, recurrent, count);
      multiply(device, stateBefore(record, 0, t), recurrentWeight, block, true);
    }
    forwardStep(device, record, t, step);
  }
}

function forwardStep(device: Device, record: RecurrenceRecord, t: number, step: Step): void {
  const { program, histories, projection } = record;
  const states = histories.map((history, i) => rowsOf(i === 0 ? (projection?.from ?? history) : history, step));
  device.map(program.program.kernel, cellInputs(record, t), [], states);
  const [from] = states;
  if (projection === undefined || from === undefined) return;
  const product = rowsOf(projection.product, step);
  multiply(device, from, swapped(projection.weight.view), product, false);
  if (projection.program === undefined) return;
  const output = rowsOf(histories[0] ?? product, step);
  device.map(projection.program.kernel, projectionInputs(product, projection.bias), [], [output]);
}
