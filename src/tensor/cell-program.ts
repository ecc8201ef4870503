import { type Cell, recurrentPart } from '../activations/cells.js';
import { type Expression, substitute, variable, variablesOf } from '../scalar/expression.js';
import { MapProgram } from './map-program.js';

/** Rows of a weight, in units of the hidden width, and the columns of the pre-activations that they make. */
export interface Segment {
  readonly row: number;
  readonly column: number;
  readonly count: number;
}

const programs = new WeakMap<Expression, CellProgram[]>();

/**
 * A cell as devices run it: one elementwise kernel for a step, and one for its gradient. The pre-activations of all
 * gates lie side by side, [rows, columns times hidden]; where a gate's products stay apart the one of the input has a
 * column of its own, before all others, so that the recurrent product writes one block in the order of its weight.
 */
export class CellProgram {
  readonly cell: Cell;
  /** The pre-activations by name, in the order of their columns. */
  readonly columns: readonly string[];
  /** The first column of the recurrent product. */
  readonly recurrent: number;
  /** How the rows of the input weight become columns. */
  readonly segments: readonly Segment[];
  readonly gates: number;
  /** The states that a step reads, by their number. */
  readonly reads: readonly number[];
  /** Inputs: the columns, their biases if there are some, the states that are read. Outputs: the states. */
  readonly program: MapProgram;

  private constructor(cell: Cell, hasBias: boolean) {
    const { gates, apart = [] } = cell.about;
    this.cell = cell;
    this.gates = gates.length;
    this.recurrent = apart.length;
    this.columns = [...apart, ...gates.map((gate) => (apart.includes(gate) ? recurrentPart(gate) : gate))];
    this.segments = segmentsOf(gates.map((gate) => this.columns.indexOf(gate)));
    const biased = Object.fromEntries(
      this.columns.map((column) => [column, variable(column).add(variable(biasOf(column)))]),
    );
    const outputs = cell.states.map((state) => {
      const output = cell.outputs[state] ?? variable(state);
      return hasBias ? substitute(output, biased) : output;
    });
    this.reads = readsOf(cell, outputs);
    const states = this.reads.map((state) => cell.states[state] ?? '');
    const inputs = [...this.columns, ...(hasBias ? this.columns.map(biasOf) : []), ...states];
    this.program = new MapProgram(cell.name, outputs, inputs, [], false);
  }

  /** The program of a cell, made once for each formula. */
  static of(cell: Cell, hasBias: boolean): CellProgram {
    const outputs = cell.states.map((state) => cell.outputs[state]);
    const [first] = outputs;
    if (first === undefined) return new CellProgram(cell, hasBias);
    const known = programs.get(first) ?? [];
    programs.set(first, known);
    const found = known.find(
      (one) =>
        one.hasBias === hasBias &&
        one.cell.name === cell.name &&
        one.cell.states.every((state, i) => one.cell.outputs[state] === outputs[i]),
    );
    if (found !== undefined) return found;
    const made = new CellProgram(cell, hasBias);
    known.push(made);
    return made;
  }

  get hasBias(): boolean {
    return this.program.inputs.length > this.columns.length + this.reads.length;
  }
}

const biasOf = (column: string): string => `bias_${column}`;

function readsOf(cell: Cell, outputs: readonly Expression[]): number[] {
  const used = new Set(variablesOf(outputs));
  return cell.states.flatMap((state, i) => (used.has(state) ? [i] : []));
}

/** The column of each row block, as runs that go on in both. */
function segmentsOf(columns: readonly number[]): Segment[] {
  const segments: { row: number; column: number; count: number }[] = [];
  for (const [row, column] of columns.entries()) {
    const last = segments.at(-1);
    if (last !== undefined && last.column + last.count === column) last.count++;
    else segments.push({ row, column, count: 1 });
  }
  return segments;
}
