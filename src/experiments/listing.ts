import type { Formula, Kind } from '../activations/kinds.js';
import {
  costsOf,
  type FormulaCosts,
  type Properties,
  propertiesOf,
  propertyTolerance,
} from '../activations/properties.js';
import { gradient } from '../scalar/differentiate.js';
import { type Expression, variable } from '../scalar/expression.js';
import { toText } from '../scalar/print.js';

/** A formula of the catalogue as scripts see it. */
export interface Listing {
  readonly name: string;
  readonly kind: Kind;
  readonly aliases: readonly string[];
  /** In the inputs and the parameters, readable by the parser. */
  readonly formula: string;
  readonly source: string;
  readonly parameters: Readonly<Record<string, number>>;
  readonly properties: Properties & {
    /** Which of the parameters are learned. */
    readonly learned: readonly string[];
    readonly tolerance: number;
  };
  readonly cost: FormulaCosts;
}

/** All that is known of a formula, computed from its expression. */
export function listingOf(formula: Formula): Listing {
  const { name, kind, aliases, source, learned } = formula;
  return {
    name,
    kind,
    aliases,
    formula: toText(formula.definition),
    source,
    parameters: parametersOf(formula),
    properties: { ...propertiesOf(formula), learned, tolerance: propertyTolerance },
    cost: costsOf(formula),
  };
}

/** Parameter values by name, learned ones as float32 holds them: what an evaluation uses. */
export const parametersOf = (formula: Formula): Record<string, number> =>
  Object.fromEntries(
    Object.entries(formula.parameters).map(([name, { value, learned }]) => [
      name,
      learned ? Math.fround(value) : value,
    ]),
  );

/** The derivative by each input and learned parameter; a row function's is its gradient from a `cotangent`. */
export function derivativesOf(formula: Formula): Record<string, Expression> {
  const isRow = formula.kind === 'row';
  const seed = { output: formula.definition, cotangent: isRow ? variable('cotangent') : 1 };
  const inputs = [...formula.inputs, ...formula.learned];
  const found = gradient([seed], inputs, new Set(isRow ? ['x', 'cotangent'] : []));
  return Object.fromEntries(found.map((derivative, i) => [inputs[i] ?? '', derivative]));
}
