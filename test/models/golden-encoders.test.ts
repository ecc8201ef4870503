import { afterAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/devices/device.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { bertCodec } from '../../src/formats/hugging-face/bert.js';
import { modernBertCodec } from '../../src/formats/hugging-face/modernbert.js';
import { Initializer } from '../../src/layers/initialization.js';
import { Mode } from '../../src/layers/mode.js';
import { Bert } from '../../src/models/bert.js';
import { type Encoder, paddedLayout } from '../../src/models/encoder.js';
import { ModernBert } from '../../src/models/modernbert.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';
import { crossEntropy } from '../../src/training/losses.js';
import { readerOf } from '../layers/support.js';
import { distance, goldenEncoders, type Named } from './golden.js';

const devices: readonly (readonly [Device, number])[] = [
  [await openReference(), 1e-6],
  [await openWasm({ threads: 2 }), 1e-4],
];
afterAll(() => Promise.all(devices.map(([device]) => device.close())));

function build(device: Device, config: Record<string, unknown>): Encoder {
  const init = new Initializer(device, 0);
  if (config['model_type'] === 'bert') return new Bert(init, { ...bertCodec.decode(config), dropout: 0 });
  return new ModernBert(init, { ...modernBertCodec.decode(config), dropout: 0 });
}

/** Zeros for padding, as the golden file has it. */
function realOnly(values: ArrayLike<number>, lengths: readonly number[], time: number): Float32Array {
  const width = values.length / lengths.length / time;
  return Float32Array.from(values, (value, i) => {
    const place = Math.floor(i / width);
    return place % time < (lengths[Math.floor(place / time)] ?? 0) ? value : 0;
  });
}

/** What Transformers computes in float64, from its own files. */
describe.each(goldenEncoders)('$name of Transformers', ({ config, weights, expected }) => {
  const of = (name: string): Named => {
    const found = expected.get(name);
    if (found === undefined) throw new Error(`${name} is not in expected.safetensors`);
    return found;
  };
  test.each(
    devices.map(([device, tolerance]) => [device.name, device, tolerance] as const),
  )('has the same vectors, logits, loss and gradients on %s', async (_, device, tolerance) => {
    const model = build(device, config);
    await model.load(readerOf(weights));
    const lengths = [...of('lengths').data];
    const tokens = tensor(device, of('inputs').data, of('inputs').shape, { dtype: 'int32' });
    const [, time = 0] = tokens.shape;
    const { spans } = paddedLayout(lengths, time);
    const hidden = model.encode(tokens, Mode.training(0, 0), { spans });
    const logits = model.logits(hidden, Mode.training(0, 0), { spans });
    const loss = lossOf(logits, of('targets'));
    loss.backward();
    expect(distance(realOnly(await hidden.toArray(), lengths, time), of('hidden').data)).toBeLessThan(tolerance);
    const said = await logits.toArray();
    const real = logits.shape.length === 3 ? realOnly(said, lengths, time) : said;
    expect(distance(real, of('logits').data)).toBeLessThan(tolerance);
    expect(distance(await loss.toArray(), of('loss').data)).toBeLessThan(tolerance);
    const gradients = [...expected.keys()].filter((name) => name.startsWith('gradient.'));
    // A pooler behind the last layer has none where nothing reads it.
    expect(
      model
        .namedParameters()
        .map(({ name }) => `gradient.${name}`)
        .sort(),
    ).toEqual(gradients.sort());
    for (const { name, tensor: parameter } of model.namedParameters()) {
      const gradient = parameter.grad;
      if (gradient === undefined) throw new Error(`${name} has no gradient`);
      const [got, wanted] = [await gradient.toArray(), of(`gradient.${name}`).data];
      // The bias of keys moves every score of a query alike: its gradient is 0 but for rounding.
      if (/key\.bias$/.test(name)) expect(Math.max(...got.map(Math.abs)), name).toBeLessThan(tolerance);
      else expect(distance(got, wanted), name).toBeLessThan(tolerance);
    }
  });
});

function lossOf(logits: Tensor, { data, shape }: Named): Tensor {
  const chosen = Array.from(data).filter((target) => target >= 0).length;
  const targets = tensor(logits.device, data, shape, { dtype: 'int32' });
  return crossEntropy(logits, targets).sum().div(chosen);
}
