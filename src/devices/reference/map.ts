import type { MapKernel } from '../../kernels/kernel.js';
import { type Evaluator, interpreter } from '../../scalar/interpret.js';
import type { View } from '../device.js';
import { valuesOf } from './buffer.js';
import { positions } from './walk.js';

const evaluators = new WeakMap<MapKernel, Evaluator>();

function evaluatorOf(kernel: MapKernel): Evaluator {
  const known = evaluators.get(kernel);
  if (known !== undefined) return known;
  const made = interpreter(kernel.outputs, [...kernel.inputs, ...kernel.scalars]);
  evaluators.set(kernel, made);
  return made;
}

export function map(
  kernel: MapKernel,
  inputs: readonly View[],
  scalars: readonly number[],
  outputs: readonly View[],
): void {
  const evaluate = evaluatorOf(kernel);
  const from = inputs.map((view) => ({ values: valuesOf(view), at: positions(view) }));
  const to = outputs.map((view) => ({ values: valuesOf(view), at: positions(view) }));
  const count = to[0]?.at.length ?? 0;
  for (let i = 0; i < count; i++) {
    const operands = from.map(({ values, at }) => values[at[i] ?? 0] ?? Number.NaN);
    const results = evaluate([...operands, ...scalars]);
    for (const [o, { values, at }] of to.entries()) values[at[i] ?? 0] = results[o] ?? Number.NaN;
  }
}
