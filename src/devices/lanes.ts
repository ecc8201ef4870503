import type { MapKernel } from '../kernels/kernel.js';
import { type Expression, reachable, substitute } from '../scalar/expression.js';
import { expand } from '../scalar/lower.js';
import { float32Error, float32Tolerance } from '../scalar/precision.js';
import { primitives } from '../scalar/primitives.js';
import { simplify } from '../scalar/simplify.js';
import type { StorageType } from './device.js';

/** The type that lanes compute in. */
export type ComputeType = 'float32' | 'float64';

/**
 * Expressions as lanes compute them: in float32 where that holds the accuracy contract, else in float64; int32 operands
 * need float64, which holds them all.
 */
export function lowerToLanes(
  { outputs, weights = [], isRough = false }: Pick<MapKernel, 'outputs'> & Partial<MapKernel>,
  types: readonly StorageType[],
): { type: ComputeType; outputs: Expression[] } {
  const isEnough = isRough ? hasFloat32(outputs) : float32Error(coefficients(outputs, weights)) <= float32Tolerance;
  const isCheap = isEnough && !types.includes('int32');
  return isCheap
    ? { type: 'float32', outputs: outputs.map((output) => expand(output, 'float32')) }
    : { type: 'float64', outputs: outputs.map((output) => expand(output)) };
}

/** Whether each function has a form for float32. */
const hasFloat32 = (outputs: readonly Expression[]): boolean =>
  reachable(outputs).every(({ node }) => {
    if (node.kind !== 'apply') return true;
    const { lanes } = primitives[node.primitive];
    return !('expand' in lanes) || lanes.short !== undefined;
  });

/** What the weights are multiplied by in expressions that are linear in them. */
function coefficients(outputs: readonly Expression[], weights: readonly string[]): readonly Expression[] {
  if (weights.length === 0) return outputs;
  const none = Object.fromEntries(weights.map((name) => [name, 0]));
  return outputs.flatMap((output) => weights.map((name) => simplify(substitute(output, { ...none, [name]: 1 }))));
}
