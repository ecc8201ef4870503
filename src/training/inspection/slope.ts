import { FormulaLayer } from '../../layers/formula-layer.js';
import type { Layer } from '../../layers/layer.js';
import { StraightThrough } from '../../layers/straight-through.js';
import { derivative } from '../../scalar/differentiate.js';
import type { Expression } from '../../scalar/expression.js';
import type { Tensor } from '../../tensor/index.js';

/** What lets a gradient through a layer of units. */
export interface Slope {
  readonly expression: Expression;
  /** The names of the layer's inputs in it. */
  readonly inputs: readonly string[];
  readonly learned: Readonly<Record<string, Tensor>>;
}

/**
 * f' of an activation, by its expression; of a gate the derivative of what it lets through, d^2 f / dgate dvalue; of a
 * straight-through estimator that of its surrogate. Undefined for a layer that is no activation.
 */
export function slopeOf(layer: Layer): Slope | undefined {
  if (layer instanceof StraightThrough) {
    return { expression: derivative(layer.surrogate.expression, 'x'), inputs: ['x'], learned: {} };
  }
  if (!(layer instanceof FormulaLayer)) return undefined;
  const { formula, learned } = layer;
  const [first = 'x', second] = formula.inputs;
  const slope = derivative(formula.expression, first);
  return { expression: second === undefined ? slope : derivative(slope, second), inputs: formula.inputs, learned };
}

/** What a layer is called in a table: the activation's name, else its class's. */
export function kindOf(layer: Layer): string {
  if (layer instanceof FormulaLayer) return layer.formula.name;
  return layer instanceof StraightThrough ? layer.operation : layer.constructor.name;
}
