import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/devices/device.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { decodeConfig } from '../../src/formats/hugging-face.js';
import { SafetensorsFile } from '../../src/formats/safetensors-file.js';
import { Initializer } from '../../src/layers/initialization.js';
import { Mode } from '../../src/layers/mode.js';
import { Llama } from '../../src/models/llama.js';
import { tensor } from '../../src/tensor/index.js';
import { crossEntropy } from '../../src/training/losses.js';

interface Named {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

async function readTensors(path: string): Promise<Map<string, Named>> {
  const file = await SafetensorsFile.open(path);
  const tensors = new Map<string, Named>();
  for (const name of file.names()) {
    const { shape, dtype } = file.info(name);
    const bytes = await file.read(name);
    const buffer = bytes.slice().buffer;
    tensors.set(name, { shape, data: dtype === 'I32' ? new Int32Array(buffer) : new Float32Array(buffer) });
  }
  await file.close();
  return tensors;
}

const folders = ['llama', 'arcee', 'llama-head-dim'];
const golden = await Promise.all(
  folders.map(async (name) => {
    const path = (file: string): string => fileURLToPath(new URL(`../golden/${name}/${file}`, import.meta.url));
    return {
      name,
      config: JSON.parse(await readFile(path('config.json'), 'utf8')) as Record<string, unknown>,
      weights: await readTensors(path('model.safetensors')),
      expected: await readTensors(path('expected.safetensors')),
    };
  }),
);

/** The largest difference, relative to the largest element. */
function distance(actual: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(actual.length).toBe(wanted.length);
  const largest = Math.max(...Array.from(wanted, Math.abs));
  const worst = Math.max(...Array.from(wanted, (value, i) => Math.abs(value - (actual[i] ?? Number.NaN))));
  return worst / largest;
}

const devices: readonly (readonly [Device, number])[] = [
  [await openReference(), 1e-6],
  [await openWasm({ threads: 2 }), 1e-4],
  [await openWasm({ threads: 1, deterministic: true }), 1e-4],
];
afterAll(() => Promise.all(devices.map(([device]) => device.close())));

/** What Transformers computes in float64, from its own files. */
describe.each(golden)('$name of Transformers', ({ config, weights, expected }) => {
  test.each(
    devices.map(([device, tolerance]) => [`${device.name}, ${device.description}`, device, tolerance] as const),
  )('has the same logits, loss and gradients on %s', async (_, device, tolerance) => {
    const model = new Llama(new Initializer(device, 0), decodeConfig(config));
    model.load(weights);
    const of = (name: string): Named => {
      const found = expected.get(name);
      if (found === undefined) throw new Error(`${name} is not in expected.safetensors`);
      return found;
    };
    const [inputs, targets] = ['inputs', 'targets'].map((name) => tensor(device, of(name).data, of(name).shape));
    if (inputs === undefined || targets === undefined) throw new Error('two tensors were made');
    const logits = model.forward(inputs, Mode.training(0, 0));
    const loss = crossEntropy(logits, targets).mean();
    loss.backward();
    expect(logits.shape).toEqual(of('logits').shape);
    expect(distance(await logits.toArray(), of('logits').data)).toBeLessThan(tolerance);
    expect(distance(await loss.toArray(), of('loss').data)).toBeLessThan(tolerance);
    const gradients = [...expected.keys()].filter((name) => name.startsWith('gradient.'));
    expect(gradients.length).toBe(model.namedParameters().length);
    for (const { name, tensor: parameter } of model.namedParameters()) {
      const gradient = parameter.grad;
      if (gradient === undefined) throw new Error(`${name} has no gradient`);
      expect(distance(await gradient.toArray(), of(`gradient.${name}`).data), name).toBeLessThan(tolerance);
    }
  });
});
