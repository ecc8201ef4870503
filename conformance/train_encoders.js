/**
 * Trains the encoders in folders that `parity_encoders.py` wrote: `node conformance/train_encoders.js FOLDER ...` writes
 * `ours.safetensors` into each, and prints {folder name: error} of those that failed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { openDevice } from '../dist/devices.js';
import { bertCodec } from '../dist/formats/hugging-face/bert.js';
import { modernBertCodec } from '../dist/formats/hugging-face/modernbert.js';
import { SafetensorsFile } from '../dist/formats/safetensors-file.js';
import { encodeSafetensors, float32Entry } from '../dist/formats/safetensors-write.js';
import { Initializer } from '../dist/layers/initialization.js';
import { Mode } from '../dist/layers/mode.js';
import { Bert } from '../dist/models/bert.js';
import { paddedLayout } from '../dist/models/encoder.js';
import { ModernBert } from '../dist/models/modernbert.js';
import { tensor } from '../dist/tensor.js';
import { adamw, crossEntropy, Optimizer } from '../dist/training.js';

const [steps, rate] = [10, 1e-3];
const device = await openDevice('auto');

async function build(folder) {
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
  const init = new Initializer(device, 0);
  const model =
    config.model_type === 'bert'
      ? new Bert(init, { ...bertCodec.decode(config), dropout: 0 })
      : new ModernBert(init, { ...modernBertCodec.decode(config), dropout: 0 });
  const weights = await SafetensorsFile.open(join(folder, 'model.safetensors'));
  await model.load(weights).finally(() => weights.close());
  return model;
}

async function integers(file, name) {
  const bytes = await file.read(name);
  return new Int32Array(bytes.slice().buffer);
}

/** Zeros for padding. */
const realOnly = (values, lengths, time) =>
  Float32Array.from(values, (value, i) => {
    const place = Math.floor(i / (values.length / lengths.length / time));
    return place % time < lengths[Math.floor(place / time)] ? value : 0;
  });

async function train(folder) {
  const model = await build(folder);
  const file = await SafetensorsFile.open(join(folder, 'inputs.safetensors'));
  const [tokens, targets, lengths] = await Promise.all(['tokens', 'targets', 'lengths'].map((n) => integers(file, n)));
  await file.close();
  const [batch, time] = [lengths.length, tokens.length / lengths.length];
  const { spans } = paddedLayout(lengths, time);
  const chosen = targets.filter((target) => target >= 0).length;
  const rule = adamw({ beta2: 0.999, epsilon: 1e-8, weightDecay: 0, clip: 0 });
  const optimizer = new Optimizer(device, model.namedParameters(), rule);
  const [entries, losses] = [[], []];
  const keep = async (name, value) =>
    entries.push(float32Entry(name, value.shape, Float32Array.from(await value.toArray())));
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad();
    const ids = tensor(device, tokens, [batch, time], { dtype: 'int32' });
    const hidden = model.encode(ids, Mode.training(0, step), { spans });
    const logits = model.logits(hidden, Mode.training(0, step), { spans });
    const wanted = tensor(device, targets, [batch, time], { dtype: 'int32' });
    const loss = crossEntropy(logits, wanted).sum().div(chosen);
    loss.backward();
    losses.push(await loss.item());
    if (step === 0) {
      for (const [name, value] of [
        ['hidden', hidden],
        ['logits', logits],
      ]) {
        entries.push(float32Entry(name, value.shape, realOnly(await value.toArray(), lengths, time)));
      }
      for (const { name, tensor: parameter } of model.namedParameters()) await keep(`gradient.${name}`, parameter.grad);
    }
    optimizer.step(rate, loss);
    await optimizer.gradientNorm.item();
  }
  entries.push(float32Entry('losses', [steps], Float32Array.from(losses)));
  writeFileSync(join(folder, 'ours.safetensors'), await encodeSafetensors(entries));
  optimizer.dispose();
  model.dispose();
}

const errors = {};
for (const folder of process.argv.slice(2)) {
  try {
    await train(folder);
  } catch (error) {
    errors[basename(folder)] = error.message;
  }
}
await device.close();
process.stdout.write(JSON.stringify(errors));
