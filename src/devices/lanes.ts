import { type Expression, substitute } from '../scalar/expression.js';
import { expand } from '../scalar/lower.js';
import { float32Error, float32Tolerance } from '../scalar/precision.js';
import { simplify } from '../scalar/simplify.js';
import type { StorageType } from './device.js';

/** The type that lanes compute in. */
export type ComputeType = 'float32' | 'float64';

/**
 * Expressions as lanes compute them: in float32 where that holds the accuracy contract, else in float64; int32 operands
 * need float64, which holds them all.
 */
export function lowerToLanes(
  outputs: readonly Expression[],
  types: readonly StorageType[],
  weights: readonly string[] = [],
): { type: ComputeType; outputs: Expression[] } {
  const isCheap = !types.includes('int32') && float32Error(coefficients(outputs, weights)) <= float32Tolerance;
  return isCheap
    ? { type: 'float32', outputs: outputs.map((output) => expand(output, 'float32')) }
    : { type: 'float64', outputs: outputs.map((output) => expand(output)) };
}

/** What the weights are multiplied by in expressions that are linear in them. */
function coefficients(outputs: readonly Expression[], weights: readonly string[]): readonly Expression[] {
  if (weights.length === 0) return outputs;
  const none = Object.fromEntries(weights.map((name) => [name, 0]));
  return outputs.flatMap((output) => weights.map((name) => simplify(substitute(output, { ...none, [name]: 1 }))));
}
