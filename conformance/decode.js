/**
 * Answers every folder within FOLDER by Sluice's decoders: `node conformance/decode.js FOLDER DEVICE`. Each has `config.json`,
 * `model.safetensors` and `ask.json` (`inputs`, `targets`: rows of tokens; what to do); beside them go
 * `DEVICE.safetensors` (`logits`, `hidden.I`, `loss`, `gradient.NAME`) and `DEVICE.json` (`losses` of AdamW steps, `greedy`
 * and `beams`: tokens).
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDevice } from '../dist/devices.js';
import { SafetensorsFile } from '../dist/formats/safetensors-file.js';
import { encodeSafetensors, float32Entry } from '../dist/formats/safetensors-write.js';
import { Mode, onForward } from '../dist/layers.js';
import { beamSearch } from '../dist/runs/beam-search.js';
import { generateTokens } from '../dist/runs/generate.js';
import { completeGeneration, greedy } from '../dist/runs/sampling.js';
import { causalModelNamed } from '../dist/runs/tasks/causal-models.js';
import { endStep, tensor } from '../dist/tensor.js';
import { crossEntropy } from '../dist/training/losses.js';
import { Optimizer } from '../dist/training/optimizer.js';
import { adamw } from '../dist/training/update-rules.js';

const [root = '.', name = 'wasm'] = process.argv.slice(2);
const device = await openDevice(name);
const json = (path) => JSON.parse(readFileSync(path, 'utf8'));

async function open(folder) {
  const config = json(join(folder, 'config.json'));
  const model = causalModelNamed(config.model_type).read(config).build(device, 0);
  const weights = await SafetensorsFile.open(join(folder, 'model.safetensors'));
  await model.load(weights).finally(() => weights.close());
  return model;
}

/** What each layer gives, and what the first takes: as Transformers' hidden_states but for the last, which it normalizes. */
function watchLayers(model, found) {
  return onForward(model, ({ name: layer, inputs, output }) => {
    const [, index] = /^(?:model\.layers|transformer\.h)\.(\d+)$/.exec(layer) ?? [];
    if (index === '0') found.push(inputs[0].detach().clone().keep());
    if (index !== undefined) found.push(output.detach().clone().keep());
    return undefined;
  });
}

async function compute(folder, model, { inputs, targets }) {
  const hidden = [];
  const unwatch = watchLayers(model, hidden);
  const logits = model.forward(inputs, Mode.evaluation());
  unwatch();
  const loss = crossEntropy(logits, targets).mean();
  loss.backward();
  const tensors = { logits, loss, ...Object.fromEntries(hidden.map((state, i) => [`hidden.${i}`, state])) };
  for (const { name: own, tensor: parameter } of model.namedParameters()) tensors[`gradient.${own}`] = parameter.grad;
  const entries = [];
  for (const [key, value] of Object.entries(tensors)) {
    entries.push(float32Entry(key, value.shape, Float32Array.from(await value.toArray())));
  }
  writeFileSync(join(folder, `${name}.safetensors`), encodeSafetensors(entries));
  for (const state of hidden) state.dispose();
  endStep(device);
}

async function train(model, { inputs, targets }, { steps, lr, weightDecay }) {
  const rule = adamw({ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay, clip: 0 });
  const optimizer = new Optimizer(device, model.namedParameters(), rule);
  const losses = [];
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad();
    const loss = crossEntropy(model.forward(inputs, Mode.evaluation()), targets).mean();
    loss.backward();
    losses.push((await loss.toArray())[0]);
    optimizer.step(lr, loss);
  }
  optimizer.dispose();
  return losses;
}

async function write(model, { prompt, maxTokens, beams, ends }) {
  const settings = { ...completeGeneration({ ...greedy, maxTokens, seed: 0 }), ends: new Set() };
  const tokens = [];
  for await (const token of generateTokens(device, model, prompt, settings)) tokens.push(token);
  const found = [];
  for (const one of beams) {
    const options = { repetitionPenalty: 1, ...one, ends: new Set(ends) };
    found.push(await beamSearch(device, model, prompt, options));
  }
  return { greedy: tokens, beams: found };
}

async function answer(folder) {
  const ask = json(join(folder, 'ask.json'));
  const model = await open(folder);
  const tokens = {};
  for (const key of ['inputs', 'targets']) {
    const shape = [ask[key].length, ask[key][0].length];
    tokens[key] = tensor(device, Int32Array.from(ask[key].flat()), shape).keep();
  }
  await compute(folder, model, tokens);
  const written = ask.generate === undefined ? {} : await write(model, ask.generate);
  const losses = ask.train === undefined ? [] : await train(model, tokens, ask.train);
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ ...written, losses }));
  model.dispose();
  for (const value of Object.values(tokens)) value.dispose();
}

for (const folder of readdirSync(root)) await answer(join(root, folder));
await device.close();
