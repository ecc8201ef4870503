import { afterAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/devices/device.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { Mode } from '../../src/layers/mode.js';
import { causalModelNamed } from '../../src/runs/tasks/causal-models.js';
import { tensor } from '../../src/tensor/index.js';
import { crossEntropy } from '../../src/training/losses.js';
import { readerOf } from '../layers/support.js';
import { distance, golden, type Named } from './golden.js';

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
    const design = causalModelNamed(config['model_type'] as 'llama').read?.(config);
    const model = design?.build(device, 0);
    if (model === undefined) throw new Error('its type is read from config.json alone');
    await model.load(readerOf(weights));
    const of = (name: string): Named => {
      const found = expected.get(name);
      if (found === undefined) throw new Error(`${name} is not in expected.safetensors`);
      return found;
    };
    const [inputs, targets] = ['inputs', 'targets'].map((name) => tensor(device, of(name).data, of(name).shape));
    if (inputs === undefined || targets === undefined) throw new Error('two tensors were made');
    const logits = model.forward(inputs, Mode.evaluation());
    const loss = crossEntropy(logits, targets).mean();
    loss.backward();
    expect(logits.shape).toEqual(of('logits').shape);
    expect(distance(await logits.toArray(), of('logits').data)).toBeLessThan(tolerance);
    expect(distance(await loss.toArray(), of('loss').data)).toBeLessThan(tolerance);
    const gradients = [...expected.keys()].filter((name) => name.startsWith('gradient.'));
    expect(gradients.length).toBe(model.namedParameters().length);
    expect(design?.summary.parameters).toBe(model.parameterCount);
    for (const { name, tensor: parameter } of model.namedParameters()) {
      const gradient = parameter.grad;
      if (gradient === undefined) throw new Error(`${name} has no gradient`);
      expect(distance(await gradient.toArray(), of(`gradient.${name}`).data), name).toBeLessThan(tolerance);
    }
  });
});
