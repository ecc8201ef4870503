import { SluiceError, show } from '../base/errors.js';
import { nearest } from '../base/nearest.js';
import { sameShape } from '../tensor/shape.js';
import type { NamedParameter, WeightReader } from './layer.js';

const others = 'The weights and config.json belong to different models.';

/**
 * Holds that weights are those of a model, and constants what it computes with.
 * @throws SluiceError `checkpoint` that names every tensor which differs.
 */
export async function checkWeights(
  weights: WeightReader,
  parameters: readonly NamedParameter[],
  constants: ReadonlyMap<string, number>,
): Promise<void> {
  checkTensors(weights, parameters, constants);
  const found = new Set(weights.names());
  for (const [name, value] of constants) {
    if (!found.has(name)) continue;
    const [stored = Number.NaN] = Array.from(await weights.readFloat32(name));
    // It may have been rounded to bfloat16.
    if (Math.abs(stored - value) <= Math.abs(value) / 128) continue;
    throw new SluiceError('checkpoint', {
      rule: `${name} is ${value}`,
      received: stored,
      remedy: 'The weights belong to another activation: choose a model without it.',
    });
  }
}

function checkTensors(
  weights: WeightReader,
  parameters: readonly NamedParameter[],
  constants: ReadonlyMap<string, number>,
): void {
  const wanted = new Set(parameters.map(({ name }) => name));
  const found = new Set(weights.names());
  const missing = [...wanted].filter((name) => !found.has(name));
  const unexpected = [...found].filter((name) => !wanted.has(name) && !constants.has(name));
  const misshapen = parameters
    .filter(({ name, tensor }) => found.has(name) && !sameShape(weights.info(name).shape, tensor.shape))
    .map(({ name, tensor }) => ({ name, shape: tensor.shape, received: weights.info(name).shape }));
  const [first] = misshapen;
  if (missing.length + unexpected.length + misshapen.length === 0) return;
  if (missing.length + unexpected.length === 0 && misshapen.length === 1 && first !== undefined) {
    const rule = `${first.name} has the shape ${show(first.shape)}`;
    throw new SluiceError('checkpoint', { rule, received: first.received, remedy: others });
  }
  const counts = [
    [missing.length, 'missing'] as const,
    [unexpected.length, 'unexpected'] as const,
    [misshapen.length, 'of another shape'] as const,
  ].flatMap(([count, how]) => (count === 0 ? [] : [`${count} ${how}`]));
  throw new SluiceError('checkpoint', {
    rule: `weights have the tensors of their model (${counts.join(', ')})`,
    received: [
      ...missing.map((name) => `missing ${name}`),
      ...unexpected.map((name) => `unexpected ${name}`),
      ...misshapen.map(({ name, shape, received }) => `${name} ${show(received)}, not ${show(shape)}`),
    ],
    remedy: `${near(missing.length === 0 ? [...wanted] : missing, unexpected)}${others}`,
  });
}

/** A tensor that is there under another name, where one is alike. */
function near(names: readonly string[], unexpected: readonly string[]): string {
  // The distance of names costs time, and one hint is enough.
  const [name = ''] = unexpected;
  const like = nearest(name, names.slice(0, 200));
  return like === undefined ? '' : `Is ${name} what should be ${like}? `;
}
