import { expect, test } from 'vitest';
import { readFormula } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import type { Settings } from '../../src/runs/settings.js';
import { causalModelNamed } from '../../src/runs/tasks/causal-models.js';
import { valuesOf } from '../layers/support.js';

const device = await openReference();

test.each<Partial<Settings> & Pick<Settings, 'model'>>([
  { model: 'llama', heads: 2, kvHeads: 1, ffn: 'swiglu' },
  { model: 'arcee', heads: 2, ffn: 'mlp', activation: 'x*sigmoid(1.5*x)' },
  { model: 'gated-conv', kernel: 3, ffn: 'geglu' },
  { model: 'rnn', activation: 'softsign' },
  { model: 'lstm', forgetBias: 2, gateActivation: 'hardSigmoid' },
  { model: 'gru', hidden: 6 },
])('a model of a run that is opened anew begins with the weights that the run began with: %o', async (given) => {
  const type = causalModelNamed(given.model);
  const settings = type.complete({ dim: 8, layers: 2, context: 8, data: 'text.txt', ...given });
  const design = type.design(settings, 17);
  const config = JSON.parse(JSON.stringify(design.encode(undefined))) as Record<string, unknown>;
  expect(type.modelTypes).toContain(config['model_type']);
  const opened = type.decode(config, readFormula(design.formula.toJSON()), settings);
  const [wanted, found] = [design, opened].map((one) => one.build(device, 3).namedParameters());
  expect(found?.map(({ name }) => name)).toEqual(wanted?.map(({ name }) => name));
  for (const [i, { name, tensor }] of (wanted ?? []).entries()) {
    expect(await valuesOf(found?.[i]?.tensor ?? tensor), name).toEqual(await valuesOf(tensor));
  }
});
