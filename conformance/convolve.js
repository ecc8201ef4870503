/**
 * Answers `FOLDER/cases.json` and the inputs and weights in `FOLDER/given.safetensors` by Sluice's convolutions and pooling on
 * a device: `node conformance/convolve.js FOLDER DEVICE` writes `FOLDER/DEVICE.json`, {case: {tensor: [shape, numbers]}}.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDevice } from '../dist/devices.js';
import { SafetensorsFile } from '../dist/formats/safetensors-file.js';
import * as layers from '../dist/layers.js';
import { tensor } from '../dist/tensor.js';

const [folder = '.', name = 'wasm'] = process.argv.slice(2);
const cases = JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8'));
const given = await SafetensorsFile.open(join(folder, 'given.safetensors'));
const device = await openDevice(name);
const convolutions = { Conv1d: layers.Conv1d, Conv2d: layers.Conv2d };
const pools = {
  MaxPool1d: layers.maxPool1d,
  MaxPool2d: layers.maxPool2d,
  AvgPool1d: layers.averagePool1d,
  AvgPool2d: layers.averagePool2d,
};
const optionNames = { kernel_size: 'kernel', ceil_mode: 'ceilMode', count_include_pad: 'countIncludePad' };

/** Only the weights of one case, by PyTorch's names. */
function weightsOf(part) {
  const all = layers.weightsUnder(given, part);
  return { ...all, names: () => all.names().filter((name) => name === 'weight' || name === 'bias') };
}

async function answer(key, { kind, arguments: options, causal, inner }) {
  const { in_channels: inputs, out_channels: outputs, kernel_size: kernel, ...rest } = options;
  const isConvolution = inputs !== undefined;
  const layer = isConvolution
    ? new convolutions[kind](new layers.Initializer(device, 0), inputs, outputs, kernel, {
        ...rest,
        ...(causal ? { padding: 'causal' } : {}),
      })
    : undefined;
  await layer?.load(weightsOf(key));
  const x = tensor(device, await given.readFloat32(`${key}.x`), given.info(`${key}.x`).shape, { requiresGrad: true });
  const last = x.shape.length - 1;
  const axes = x.shape.map((_, axis) => axis);
  const order = [0, ...axes.slice(2), 1];
  const shown = inner
    ? x
        .permute(order)
        .contiguous()
        .permute([0, last, ...axes.slice(1, -1)])
    : x;
  const pooling = Object.fromEntries(Object.entries(options).map(([own, value]) => [optionNames[own] ?? own, value]));
  const y = layer?.forward(shown) ?? pools[kind](shown, pooling);
  const cotangent = given.info(`${key}.cotangent`);
  const found = { y };
  if (JSON.stringify(cotangent.shape) === JSON.stringify(y.shape)) {
    y.backward(tensor(device, await given.readFloat32(`${key}.cotangent`), y.shape));
    found['gradient.x'] = x.grad;
    for (const parameter of layer?.namedParameters() ?? []) found[`gradient.${parameter.name}`] = parameter.tensor.grad;
  }
  const read = Object.entries(found).map(async ([own, value]) => [
    own,
    [value.shape, Array.from(await value.toArray())],
  ]);
  const results = Object.fromEntries(await Promise.all(read));
  layer?.dispose();
  return results;
}

const answers = {};
for (const [key, own] of Object.entries(cases)) answers[key] = await answer(key, own);
await device.close();
await given.close();
writeFileSync(join(folder, `${name}.json`), JSON.stringify(answers));
