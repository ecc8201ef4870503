import { expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { parseSafetensors } from '../../src/formats/safetensors.js';
import { encodeWeights } from '../../src/formats/weights.js';
import { llama } from '../../src/models/llama.js';
import { shake, valuesOf } from '../layers/support.js';

const device = await openReference();
const sizes = { vocabSize: 5, dim: 4, layers: 1, heads: 2, context: 4, mlpBias: true };

test('weights of one model, as a file in memory, are those of another that loads it', async () => {
  const model = shake(llama(device, sizes));
  const file = parseSafetensors(await encodeWeights(model));
  expect(file.names().toSorted()).toEqual(
    model
      .namedParameters()
      .map(({ name }) => name)
      .toSorted(),
  );
  const other = llama(device, { ...sizes, seed: 1 });
  await other.load(file);
  for (const [i, { name, tensor }] of other.namedParameters().entries()) {
    const written = Array.from(await valuesOf(model.parameters()[i] ?? tensor), Math.fround);
    expect(await valuesOf(tensor), name).toEqual(written);
  }
});
