import { describe, expect, test } from 'vitest';
import { relu, swiglu } from '../../src/activations/index.js';
import { MemoryTokens } from '../../src/data/token-source.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { Initializer } from '../../src/layers/initialization.js';
import { Mode } from '../../src/layers/mode.js';
import {
  GatedConvolution,
  gatedConvolution,
  gatedConvolutionConfig,
  summarizeGatedConvolution,
} from '../../src/models/gated-convolution.js';
import { complete } from '../../src/runs/complete.js';
import { causalModelNamed } from '../../src/runs/tasks/causal-models.js';
import { concat, gradcheck, tensor } from '../../src/tensor/index.js';
import { crossEntropy } from '../../src/training/losses.js';
import { Trainer } from '../../src/training/trainer.js';
import { shake, valuesOf } from '../layers/support.js';

const device = await openReference();
const sizes = { vocabSize: 7, dim: 4, layers: 2, kernel: 3 };
const tokens = (...ids: readonly number[]) => tensor(device, ids, [1, ids.length], { dtype: 'int32' });

describe('a gated convolutional language model', () => {
  test("has PyTorch's names and shapes, and as many parameters as is said", () => {
    for (const gate of [swiglu, relu]) {
      const model = gatedConvolution(device, { ...sizes, gate });
      const shapes = Object.fromEntries(model.namedParameters().map((one) => [one.name, one.tensor.shape]));
      const outputs = gate === relu ? 4 : 8;
      expect(shapes).toEqual({
        'embed_tokens.weight': [7, 4],
        ...{ 'layers.0.norm.weight': [4], 'layers.0.conv.weight': [outputs, 4, 3], 'layers.0.conv.bias': [outputs] },
        ...{ 'layers.1.norm.weight': [4], 'layers.1.conv.weight': [outputs, 4, 3], 'layers.1.conv.bias': [outputs] },
        'norm.weight': [4],
      });
      const { parameters } = summarizeGatedConvolution(gatedConvolutionConfig({ ...sizes, gate }));
      expect(model.parameterCount).toBe(parameters);
    }
  });

  test('sees layers (kernel - 1) tokens before its own, and none that follows', async () => {
    const model = shake(gatedConvolution(device, sizes));
    const logits = async (...ids: readonly number[]): Promise<number[]> =>
      valuesOf(model.forward(tokens(...ids), Mode.evaluation()));
    const before = await logits(0, 1, 2, 3, 4, 5, 6, 0);
    const after = await logits(0, 1, 6, 3, 4, 5, 6, 0);
    const changed = Array.from({ length: 8 }, (_, t) =>
      before.slice(7 * t, 7 * t + 7).some((value, i) => value !== after[7 * t + i]),
    );
    expect(changed).toEqual([false, false, true, true, true, true, true, false]);
  });

  test('gives with caches what it gives at once, as often as they are cleared', async () => {
    const model = shake(gatedConvolution(device, sizes));
    const ids = [3, 1, 4, 1, 5, 2, 6];
    const whole = await valuesOf(model.forward(tokens(...ids), Mode.evaluation()));
    const caches = model.makeCaches(1);
    for (let pass = 0; pass < 2; pass++) {
      const parts = [ids.slice(0, 3), ...ids.slice(3).map((id) => [id])].map((part) =>
        model.forward(tokens(...part), Mode.evaluation(), caches),
      );
      const joined = await valuesOf(concat(parts, 1));
      for (const [i, value] of joined.entries()) expect(value).toBeCloseTo(whole[i] ?? Number.NaN, 9);
      expect(caches.map(({ length }) => length)).toEqual([7, 7]);
      for (const cache of caches) cache.clear();
    }
    for (const cache of caches) cache.dispose();
  });

  test('has the gradients of central differences', async () => {
    const model = shake(gatedConvolution(device, { ...sizes, layers: 1 }));
    const targets = tensor(device, [1, 4, 1, 5], [1, 4], { dtype: 'int32' });
    await gradcheck(
      () => crossEntropy(model.forward(tokens(3, 1, 4, 1), Mode.evaluation()), targets).sum(),
      model.parameters(),
    );
  });

  test.each([
    [{ kernel: 0 }, /kernel of a gated convolution is a whole number from 1 on, received 0/],
    [{ dim: 1.5 }, /dim of a gated convolution/],
    [Object({ kernels: 3 }), /kernels/],
  ])('refuses %j', (wrong, message) => {
    expect(() => gatedConvolutionConfig({ ...sizes, ...wrong })).toThrow(message);
  });

  test.each([
    ['a gate', { dim: 64, layers: 3, context: 64, batch: 16 }],
    ['a wide kernel and dropout', { dim: 48, layers: 2, context: 64, batch: 16, kernel: 9, dropout: 0.1 }],
    ['a plain activation', { dim: 64, layers: 4, context: 64, batch: 16, ffn: 'mlp', activation: 'relu' }],
  ])('with %s trains in the memory that is said, or up to a half less', async (_, given) => {
    const settings = complete({ data: 'x', model: 'gated-conv', ...given });
    const design = causalModelNamed('gated-conv').design(settings, 300);
    const { batch, context } = settings;
    const said = design.trainingBytes(300, batch * context);
    const wasm = await openWasm({ threads: 2 });
    const source = new MemoryTokens(Array.from({ length: 2000 }, (_, i) => (7 * i) % 300));
    const model = design.build(wasm, 1);
    expect(model).toBeInstanceOf(GatedConvolution);
    const trainer = new Trainer(wasm, model, source, { batch, context, accumulate: 1, seed: 1 });
    for (let step = 0; step < 3; step++) await trainer.step(1e-3);
    const { peakBytes } = wasm.memory();
    await wasm.close();
    expect(peakBytes).toBeLessThanOrEqual(said);
    expect(peakBytes).toBeGreaterThan(0.5 * (said - 2 ** 24));
  });

  test('depends on its seed alone', async () => {
    const first = async (seed: number): Promise<number[]> =>
      valuesOf(new GatedConvolution(new Initializer(device, seed), gatedConvolutionConfig(sizes)).embedTokens.weight);
    expect(await first(3)).toEqual(await first(3));
    expect(await first(3)).not.toEqual(await first(4));
  });
});
