import { describe, expect, test } from 'vitest';
import { relu, sigmoid, silu, swiglu, tanh } from '../../src/activations/index.js';
import { ignoreIndex } from '../../src/data/batches.js';
import { Mode } from '../../src/layers/mode.js';
import { llama } from '../../src/models/llama.js';
import { type Mlp, mlp } from '../../src/models/mlp.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';
import { memory } from '../../src/tensor/memory.js';
import { inspect } from '../../src/training/inspection/inspect.js';
import { crossEntropy, meanSquaredError } from '../../src/training/losses.js';
import { onDevices, someValues } from '../tensor/devices.js';

onDevices((on) => {
  const rows = 24;
  const data = () => tensor(on.device, someValues(rows * 3), [rows, 3]);
  const wanted = () => tensor(on.device, someValues(rows * 2, 5), [rows, 2]);
  const lossOf = (model: Mlp) => () =>
    meanSquaredError(model.forward(data(), Mode.evaluation()), wanted(), { reduction: 'mean' });

  describe('inspect', () => {
    test('gives the moments of what each layer gives', async () => {
      const model = mlp(on.device, { inputs: 3, hidden: [5, 4], outputs: 2, activation: tanh, seed: 3 });
      const { layers } = await inspect(model, lossOf(model));
      expect(layers.map(({ name, kind, units, values }) => [name, kind, units, values])).toEqual([
        ['layers.0', 'Linear', 5, rows],
        ['activations.0', 'tanh', 5, rows],
        ['layers.1', 'Linear', 4, rows],
        ['activations.1', 'tanh', 4, rows],
        ['layers.2', 'Linear', 2, rows],
      ]);
      const first = model.layers[0]?.forward(data()).tanh();
      const values = Array.from((await first?.toArray()) ?? []);
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
      const moment = (k: number): number => values.reduce((sum, x) => sum + (x - mean) ** k, 0) / values.length;
      const { mean: m, variance, kurtosis, largest, histogram } = layers[1] ?? Object.assign({}, layers[0]);
      expect(m).toBeCloseTo(mean, 6);
      expect(variance).toBeCloseTo(moment(2), 6);
      expect(kurtosis).toBeCloseTo(moment(4) / moment(2) ** 2, 4);
      expect(largest).toBeCloseTo(Math.max(...values.map(Math.abs)), 6);
      expect(histogram?.counts.reduce((sum, count) => sum + count, 0)).toBe(rows * 5);
    });

    test("gives autograd's gradients", async () => {
      const model = mlp(on.device, { inputs: 3, hidden: [5], outputs: 2, activation: sigmoid, seed: 3 });
      const { layers, gradientNorm, loss } = await inspect(model, lossOf(model));
      expect(model.parameters().every(({ grad }) => grad === undefined)).toBe(true);
      const [first, second] = model.layers;
      const hidden = first?.forward(data()).detach();
      if (hidden === undefined || second === undefined) throw new Error('two layers');
      hidden.requiresGrad = true;
      meanSquaredError(second.forward(hidden.sigmoid()), wanted(), { reduction: 'mean' }).backward();
      const normOf = async (grads: readonly (Tensor | undefined)[]): Promise<number> => {
        const arrays = await Promise.all(grads.map(async (grad) => Array.from((await grad?.toArray()) ?? [])));
        return Math.hypot(...arrays.flat());
      };
      expect(layers[0]?.gradientNorm).toBeCloseTo(await normOf([hidden.grad]), 7);
      expect(layers[2]?.parameters?.gradientNorm).toBeCloseTo(await normOf([second.weight.grad, second.bias?.grad]), 7);
      for (const parameter of model.parameters()) parameter.zeroGrad();
      const own = lossOf(model)();
      own.backward();
      expect(gradientNorm).toBeCloseTo(await normOf(model.parameters().map(({ grad }) => grad)), 6);
      expect(loss).toBeCloseTo(await own.item(), 6);
    });

    test('counts a ReLU that is off for every input as dead, and one that no gradient comes to as unreached', async () => {
      const model = mlp(on.device, { inputs: 3, hidden: [4], outputs: 2, activation: relu, seed: 1 });
      const [first, second] = model.layers;
      first?.bias?.write([-100, 100, 100, 100]);
      second?.weight.write([1, 2, 0, 3, 1, 2, 0, 3]); // nothing listens to the third
      const { layers } = await inspect(model, lossOf(model));
      expect(layers[1]).toMatchObject({ kind: 'relu', dead: 1 / 4, saturated: 0, unreached: 1 / 4 });
      expect(layers[0]).toMatchObject({ isActivation: false, saturated: undefined });
    });

    test('counts a unit as saturated by the derivative of its own activation', async () => {
      const model = mlp(on.device, { inputs: 3, hidden: [4], outputs: 2, activation: sigmoid, seed: 1 });
      model.layers[0]?.bias?.write([50, -50, 0, 0]);
      const { layers } = await inspect(model, lossOf(model));
      expect(layers[1]).toMatchObject({ dead: 0, saturated: 1 / 2 });
      const all = await inspect(model, lossOf(model), { threshold: 0.3 }); // above the largest derivative
      expect(all.layers[1]).toMatchObject({ saturated: 1 });
    });

    test('of a network of steps finds every unit dead, unless a surrogate lends them its derivative', async () => {
      const shape = { inputs: 3, hidden: [4], outputs: 2, seed: 1 };
      const { step, hardTanh } = await import('../../src/activations/index.js');
      const [plain, through] = [
        mlp(on.device, { ...shape, activation: step }),
        mlp(on.device, { ...shape, activation: step, surrogate: hardTanh }),
      ];
      expect((await inspect(plain, lossOf(plain))).layers[1]).toMatchObject({ kind: 'step', dead: 1 });
      const { layers } = await inspect(through, lossOf(through));
      expect(layers[1]?.kind).toBe('step through hardTanh');
      expect(layers[1]?.dead).toBeLessThan(1);
    });

    test('says the same of batches as of all examples at once', async () => {
      const model = mlp(on.device, { inputs: 3, hidden: [5], outputs: 2, activation: silu, seed: 3 });
      const whole = await inspect(model, lossOf(model));
      const half = rows / 2;
      const parts = await inspect(
        model,
        (batch) => {
          const [from, to] = [batch * half, (batch + 1) * half];
          const outputs = model.forward(data().slice(0, from, to), Mode.evaluation());
          return meanSquaredError(outputs, wanted().slice(0, from, to), { reduction: 'mean' });
        },
        { batches: 2 },
      );
      expect(parts.loss).toBeCloseTo(whole.loss, 6);
      expect(parts.gradientNorm).toBeCloseTo(whole.gradientNorm, 6);
      parts.layers.forEach((layer, i) => {
        const other = whole.layers[i];
        expect(layer.values).toBe(other?.values);
        for (const key of ['mean', 'variance', 'unitVariance', 'largest'] as const)
          expect(layer[key]).toBeCloseTo(other?.[key] ?? Number.NaN, 6);
        expect(layer.kurtosis).toBeCloseTo(other?.kurtosis ?? Number.NaN, 4);
      });
    });

    test('looks into a LLaMA: blocks, gates and the gradient at each position', async () => {
      const shape = { vocabSize: 11, dim: 8, layers: 2, heads: 2, context: 6, feedForward: swiglu };
      const model = llama(on.device, { ...shape, seed: 2 });
      const ids = Int32Array.from({ length: 12 }, (_, i) => (7 * i) % 11);
      const targets = ids.map((id, i) => (i % 6 === 5 ? ignoreIndex : (ids[i + 1] ?? id)));
      const { layers } = await inspect(model, () => {
        const logits = model.forward(tensor(on.device, ids, [2, 6]), Mode.evaluation());
        return crossEntropy(logits, tensor(on.device, targets, [2, 6]), { reduction: 'mean' });
      });
      const named = new Map(layers.map((layer) => [layer.name, layer]));
      expect([...named.keys()]).toContain('model.layers.1');
      expect(named.get('model.layers.0.mlp.act_fn')).toMatchObject({ kind: 'swiglu', isActivation: true });
      expect(named.has('model.layers.0.mlp')).toBe(false); // it gives what its projection gives
      expect(named.get('')?.units).toBe(11);
      const steps = named.get('')?.gradientNormByStep ?? [];
      expect(steps).toHaveLength(6);
      expect(steps[5]).toBe(0); // nothing is asked of the last position
      expect(steps[0]).toBeGreaterThan(0);
    });

    test('leaves no memory and no hooks behind', async () => {
      const model = mlp(on.device, { inputs: 3, hidden: [5], outputs: 2, activation: tanh });
      await inspect(model, lossOf(model));
      const before = memory(on.device).keptBuffers;
      await inspect(model, lossOf(model), { batches: 3 });
      expect(memory(on.device).keptBuffers).toBe(before);
      expect(Object.keys(model)).not.toContain('forward');
      await expect(
        inspect(model, () => {
          model.forward(data(), Mode.evaluation());
          throw new Error('in between');
        }),
      ).rejects.toThrow('in between');
      expect(memory(on.device).keptBuffers).toBe(before);
      expect(Object.getOwnPropertyNames(model)).not.toContain('forward');
      await expect(inspect(model, lossOf(model), { batches: 0 })).rejects.toThrow(/whole number from 1 on, received 0/);
    });
  });
});
