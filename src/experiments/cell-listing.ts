import { type Cell, recurrentPart } from '../activations/cells.js';
import type { FormulaCosts } from '../activations/properties.js';
import { gradient } from '../scalar/differentiate.js';
import { type Expression, variable } from '../scalar/expression.js';
import { cost, exponentials } from '../scalar/lower.js';
import { toText } from '../scalar/print.js';

export interface CellProperties {
  /** Pre-activations, in the order of the rows of PyTorch's weights. */
  readonly gates: readonly string[];
  /** What goes from step to step: the output first. */
  readonly states: readonly string[];
  /** By the roles that another activation can take. */
  readonly activations: Readonly<Record<string, string>>;
  readonly learned: readonly string[];
}

/** A recurrent cell as scripts see it: as a `Listing` of a formula. */
export interface CellListing {
  readonly name: string;
  readonly kind: 'cell';
  readonly aliases: readonly string[];
  /** The states after a step, in the gates' pre-activations and the states before it. */
  readonly formula: string;
  readonly source: string;
  readonly parameters: Readonly<Record<string, number>>;
  readonly properties: CellProperties;
  readonly cost: FormulaCosts;
}

/** The pre-activations and states that a step reads. */
const inputsOf = ({ about: { gates, apart = [] }, states }: Cell): string[] => [
  ...gates,
  ...apart.map(recurrentPart),
  ...states,
];

/** All that is known of a cell, computed from its expressions. */
export function cellListing(cell: Cell): CellListing {
  const { name, about, outputs, states } = cell;
  const values = Object.values(outputs);
  const seeds = Object.entries(outputs).map(([state, output]) => ({ output, cotangent: variable(`d${state}`) }));
  const together = [...values, ...gradient(seeds, inputsOf(cell))];
  return {
    ...{ name, kind: 'cell', aliases: [] },
    formula: formulasOf(cell)
      .map(([state, text]) => `${state} = ${text}`)
      .join('; '),
    source: about.source,
    parameters: {},
    properties: {
      ...{ gates: about.gates, states },
      activations: Object.fromEntries(Object.entries(about.activations).map(([role, { name }]) => [role, name])),
      learned: [],
    },
    cost: {
      value: { ...cost(values), exponentials: exponentials(values) },
      gradient: { ...cost(together), exponentials: exponentials(together) },
    },
  };
}

/** Each state after a step, as text: h', c'. */
export const formulasOf = ({ outputs }: Cell): [string, string][] =>
  Object.entries(outputs).map(([state, output]) => [`${state}'`, toText(output)]);

/** How each state after a step depends on each before it, pre-activations held: what a gradient is multiplied by. */
export function stateDerivatives({ outputs, states }: Cell): (readonly [name: string, derivative: Expression])[] {
  return Object.entries(outputs).flatMap(([after, output]) => {
    const found = gradient([{ output, cotangent: 1 }], states);
    return states.map((before, i) => [`d${after}'/d${before}`, found[i] as Expression] as const);
  });
}
