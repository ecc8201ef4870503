import { type MapKernel, mapKernel, type RowKernel, rowKernel } from '../kernels/kernel.js';
import { gradient } from '../scalar/differentiate.js';
import { type Expression, variable } from '../scalar/expression.js';
import { extend } from '../scalar/lower.js';
import type { Activation, Formula, Gate, RowFunction } from './kinds.js';

/** Whether a formula is applied to each element: an activation or a gate. */
export const isElementwise = (formula: Formula): formula is Activation | Gate => formula.kind !== 'row';

export const isRowFunction = (formula: Formula): formula is RowFunction => formula.kind === 'row';

/** The values of the learned parameters in the order of `formula.learned`: the scalars of its kernels, in float32. */
export const learnedValues = (formula: Formula): number[] =>
  formula.learned.map((name) => Math.fround(formula.parameters[name]?.value ?? Number.NaN));

/** The derivative by each input, for a formula applied to each element. */
export const partials = (formula: Activation | Gate): Expression[] =>
  gradient([{ output: formula.expression, cotangent: 1 }], formula.inputs);

/**
 * One pass over the inputs, extended to infinities and NaN: the value (`'value'`), the derivative by each input
 * (`'derivatives'`), or both in this order. Learned parameters are scalars.
 */
export function formulaKernel(formula: Activation | Gate, what: 'value' | 'derivatives' | 'both' = 'both'): MapKernel {
  const value = what === 'derivatives' ? [] : [formula.expression];
  const derivatives = what === 'value' ? [] : partials(formula);
  const outputs = [...value, ...derivatives].map((output) => extend(output, formula.inputs));
  return mapKernel({ inputs: formula.inputs, scalars: formula.learned, outputs });
}

/** A row function's value over rows `x`: with its limits at infinities, or as models compute it. */
export function rowValueKernel(formula: RowFunction, atInfinities = true): RowKernel {
  const { expression, learned: scalars } = formula;
  return rowKernel({ elements: ['x'], scalars, outputs: [atInfinities ? extend(expression, ['x']) : expression] });
}

/** A row function's vector-Jacobian product: the gradient by `x` from the `cotangent` of its value. */
export function rowGradientKernel(formula: RowFunction, atInfinities = true): RowKernel {
  const elements = ['x', 'cotangent'];
  const seed = { output: formula.expression, cotangent: variable('cotangent') };
  const found = gradient([seed], ['x'], new Set(elements));
  const outputs = atInfinities ? found.map((output) => extend(output, ['x'])) : found;
  return rowKernel({ elements, scalars: formula.learned, outputs });
}
