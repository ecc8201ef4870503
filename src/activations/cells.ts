/**
 * Recurrent cells: one step of a recurrent layer for one unit, written once as expressions. A gate's name stands for its
 * pre-activation W x + b_w + U h + b_u; a state's name for the unit's state before the step.
 */

import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { checkChoice } from '../base/options.js';
import { constant, type Expression, variable } from '../scalar/expression.js';
import type { Activation } from './kinds.js';
import { sigmoid, tanh } from './saturating.js';

export interface CellDescription {
  /** The paper that it comes from. */
  readonly source: string;
  /** In the order of the rows of the weights, as PyTorch has them. */
  readonly gates: readonly string[];
  /**
   * Gates whose products stay apart, because the formula does something to one of them: the gate's name then stands for
   * W x + b_w, and its name after `recurrent_` for U h + b_u.
   */
  readonly apart?: readonly string[];
  /** What goes from step to step beside the output `h`. */
  readonly memory?: readonly string[];
  /** The activations by their roles. */
  readonly activations: Readonly<Record<string, Activation>>;
}

/** The name of a gate's recurrent product, where it stays apart. */
export const recurrentPart = (gate: string): string => `recurrent_${gate}`;

/** A place where a cell's formula calls one of its activations. */
export interface CellPart {
  /** That of the pre-activation or state that goes in; where a formula of several does, the role. */
  readonly name: string;
  readonly role: string;
  readonly activation: Activation;
  /** What comes out, in the pre-activations and the states before the step. */
  readonly value: Expression;
}

type Functions = Readonly<Record<string, (x: Expression) => Expression>>;
type Step = (
  inputs: Readonly<Record<string, Expression>>,
  activations: Functions,
) => Readonly<Record<string, Expression>>;

/** A recurrent cell. It is a value: `with` gives one of other activations. */
export class Cell {
  readonly name: string;
  readonly about: CellDescription;
  /** The states after the step, by name: `h` first. */
  readonly outputs: Readonly<Record<string, Expression>>;
  /** What its activations give at a step: the gates, and what they let through. */
  readonly parts: readonly CellPart[];
  readonly #step: Step;

  constructor(name: string, about: CellDescription, step: Step) {
    this.name = name;
    this.about = about;
    this.#step = step;
    const { gates, apart = [], memory = [], activations } = about;
    const inputs = [...gates, ...apart.map(recurrentPart), 'h', ...memory];
    const parts = new Map<Expression, CellPart>();
    const functions = Object.entries(activations).map(([role, activation]) => {
      const call = (x: Expression): Expression => {
        const value = activation.of(x);
        const { node } = x;
        parts.set(value, { name: node.kind === 'variable' ? node.name : role, role, activation, value });
        return value;
      };
      return [role, call] as const;
    });
    this.outputs = step(
      Object.fromEntries(inputs.map((input) => [input, variable(input)])),
      Object.fromEntries(functions),
    );
    const order = [...gates, ...[...parts.values()].map(({ name }) => name)];
    this.parts = [...parts.values()].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  }

  /** The names of the states: `h`, which is the output, and what the cell remembers beside it. */
  get states(): readonly string[] {
    return ['h', ...(this.about.memory ?? [])];
  }

  /**
   * The same cell with other activations, by their roles; a learned parameter of theirs stays at its initial value.
   * @throws SluiceError `name` for a role that the cell does not have.
   */
  with(activations: Readonly<Record<string, Activation>>): Cell {
    const roles = Object.keys(this.about.activations);
    const unknown = Object.keys(activations).find((role) => !roles.includes(role));
    if (unknown !== undefined) {
      throw new SluiceError('name', {
        rule: `the activations of ${this.name} are ${roles.join(', ')}`,
        received: unknown,
        remedy: didYouMean(unknown, roles, 'Leave it out.'),
      });
    }
    return new Cell(
      this.name,
      { ...this.about, activations: { ...this.about.activations, ...activations } },
      this.#step,
    );
  }
}

/** A recurrent cell from its formula: the states after a step from pre-activations and the states before it. */
/* @__NO_SIDE_EFFECTS__ */
export function cell<
  Gate extends string,
  Role extends string,
  Apart extends Gate = never,
  Memory extends string = never,
>(
  name: string,
  about: CellDescription & {
    readonly gates: readonly Gate[];
    readonly apart?: readonly Apart[];
    readonly memory?: readonly Memory[];
    readonly activations: Readonly<Record<Role, Activation>>;
  },
  step: (
    inputs: Readonly<Record<Gate | `recurrent_${Apart}` | 'h' | Memory, Expression>>,
    activations: Readonly<Record<Role, (x: Expression) => Expression>>,
  ) => Readonly<Record<'h' | Memory, Expression>>,
): Cell {
  return new Cell(name, about, step as unknown as Step);
}

/** h_t = tanh(W x_t + U h_{t-1} + b). */
export const rnnCell = cell(
  'rnn',
  { source: 'Elman 1990', gates: ['a'], activations: { activation: tanh } },
  ({ a }, { activation }) => ({ h: activation(a) }),
);

export const lstmCell = cell(
  'lstm',
  {
    source: 'Hochreiter and Schmidhuber 1997; the forget gate: Gers 2000',
    gates: ['i', 'f', 'g', 'o'],
    memory: ['c'],
    activations: { gate: sigmoid, candidate: tanh, output: tanh },
  },
  ({ i, f, g, o, c }, { gate, candidate, output }) => {
    const next = gate(f)
      .mul(c)
      .add(gate(i).mul(candidate(g)));
    return { h: gate(o).mul(output(next)), c: next };
  },
);

/** The reset gate acts on the recurrent product with its bias, as in cuDNN and PyTorch: b_hn is inside. */
export const gruCell = cell(
  'gru',
  {
    source: 'Cho 2014, arXiv:1406.1078; the form of cuDNN',
    gates: ['r', 'z', 'n'],
    apart: ['n'],
    activations: { gate: sigmoid, candidate: tanh },
  },
  ({ r, z, n, recurrent_n, h }, { gate, candidate }) => {
    const next = candidate(n.add(gate(r).mul(recurrent_n)));
    return { h: constant(1).sub(gate(z)).mul(next).add(gate(z).mul(h)) };
  },
);

const cells = { rnn: rnnCell, lstm: lstmCell, gru: gruCell } as const;
export type CellName = keyof typeof cells;
export const cellNames = Object.keys(cells) as readonly CellName[];

/** Every cell of the catalogue. */
export const catalogueCells = (): readonly Cell[] => Object.values(cells);

/** @throws SluiceError `name` that suggests the nearest one. */
export function findCell(name: CellName): Cell {
  checkChoice('a recurrent cell', name, cellNames);
  return cells[name];
}
