import { describe, expect, test } from 'vitest';
import { relu, sigmoid, silu, swiglu, tanh } from '../../src/activations/index.js';
import { ignoreIndex } from '../../src/data/batches.js';
import { problemOf } from '../../src/experiments/explain/problem.js';
import { explainRecurrent } from '../../src/experiments/explain/recurrent.js';
import { Initializer } from '../../src/layers/initialization.js';
import { Mode } from '../../src/layers/mode.js';
import { BagOfTokens } from '../../src/models/bag-of-tokens.js';
import { gatedConvolution } from '../../src/models/gated-convolution.js';
import { lenet } from '../../src/models/lenet.js';
import { llama } from '../../src/models/llama.js';
import { type Mlp, mlp, mlpConfig } from '../../src/models/mlp.js';
import { perceptron } from '../../src/models/perceptron.js';
import { sequenceModel } from '../../src/models/sequence-model.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';
import { memory } from '../../src/tensor/memory.js';
import { findingsOf } from '../../src/training/inspection/findings.js';
import { inspect } from '../../src/training/inspection/inspect.js';
import { crossEntropy, meanSquaredError } from '../../src/training/losses.js';
import { normal, valuesOf } from '../layers/support.js';
import { onDevices, someValues } from '../tensor/devices.js';

/** Four steps of two numbers. */
const someSteps = [
  [0.5, -1],
  [1, 0.25],
  [-0.75, 0.5],
  [0.1, -0.2],
];

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
      const inspection = await inspect(plain, lossOf(plain));
      expect(inspection.layers[1]).toMatchObject({ kind: 'step', dead: 1 });
      expect(findingsOf(inspection)).toContainEqual({
        kind: 'vanishing',
        message: expect.stringMatching(/^no gradient comes back to layers\.0: \S+ at layers\.1$/),
      });
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

    test('takes the channels of a convolution for its units, along a line and in an image', async () => {
      const model = gatedConvolution(on.device, { vocabSize: 7, dim: 4, layers: 1, kernel: 2, seed: 3 });
      const ids = tensor(on.device, Int32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
      const { layers } = await inspect(model, () => model.forward(ids, Mode.evaluation()).mul(0.1).exp().mean());
      const conv = layers.find(({ kind }) => kind === 'Conv1d');
      expect(conv).toMatchObject({ units: 8, values: 6 });
      expect(conv?.gradientNormByStep).toHaveLength(3);
      const images = lenet(on.device, { side: 12, outputs: 3, activation: relu, seed: 3 });
      const pixels = tensor(on.device, someValues(2 * 144), [2, 1, 12, 12]);
      const seen = await inspect(images, () => images.forward(pixels, Mode.evaluation()).mul(0.1).exp().mean());
      expect(seen.layers[1]).toMatchObject({ kind: 'relu', isActivation: true, units: 6 });
      expect(seen.layers[0]).toMatchObject({ kind: 'Conv2d', units: 6, values: seen.layers[1]?.values });
    });

    test('gives the gradient at each time step of an RNN, by the equations of back-propagation through time', async () => {
      const problem = problemOf({ recurrent: true, learningRate: 1, widths: [2, 3, 1], input: someSteps, seed: 5 });
      if (problem.kind !== 'recurrent') throw new Error('a problem with time');
      const { steps, loss } = explainRecurrent(problem);
      const model = sequenceModel(on.device, { cell: 'rnn', inputs: 2, hidden: 3, outputs: 1, answers: 'each' });
      const { xh, hh, h, ho, o } = problem.weights;
      const given = { weight_ih_l0: xh.flat(), weight_hh_l0: hh.flat(), bias_ih_l0: h, bias_hh_l0: [0, 0, 0] };
      for (const [name, values] of Object.entries(given)) model.recurrent.weight(name).write(values);
      model.head.weight.write(ho.flat());
      model.head.bias?.write(o);
      const inspection = await inspect(model, () => {
        const { output } = model.forward(tensor(on.device, [problem.input]), Mode.evaluation());
        return meanSquaredError(output, tensor(on.device, [problem.target]), { reduction: 'sum' }).div(2);
      });
      expect(inspection.loss).toBeCloseTo(loss, 6);
      const [cell, head] = inspection.layers;
      expect(cell).toMatchObject({ name: 'recurrent.l0', kind: 'rnn', isRecurrent: true, units: 3, values: 4 });
      expect(head).toMatchObject({ name: 'head', isRecurrent: false });
      steps.forEach(({ fromOutput, fromLater }, t) => {
        const arriving = fromOutput.map((value, i) => value + (fromLater[i] ?? 0));
        expect(cell?.gradientNormByStep?.[t]).toBeCloseTo(Math.hypot(...arriving), 6);
      });
    });

    test('sees the gradient of a tanh RNN vanish through time, and that of an LSTM with an open forget gate not', async () => {
      const [batch, time] = [4, 50];
      const x = tensor(on.device, someValues(batch * time * 2), [batch, time, 2]);
      const kindsFor = async (cell: 'rnn' | 'lstm', options: object): Promise<[number, readonly string[]]> => {
        const model = sequenceModel(on.device, { cell, inputs: 2, hidden: 8, outputs: 1, seed: 1, ...options });
        const inspection = await inspect(model, () => {
          const { output } = model.forward(x, Mode.evaluation());
          return meanSquaredError(output, tensor(on.device, someValues(batch), [batch, 1]), { reduction: 'mean' });
        });
        const steps = inspection.layers[0]?.gradientNormByStep ?? [];
        expect(steps).toHaveLength(time);
        const ratio = (steps[0] ?? 0) / (steps.at(-1) ?? 1);
        return [ratio, findingsOf(inspection).map(({ kind }) => kind)];
      };
      const [vanished, findings] = await kindsFor('rnn', {});
      expect(vanished).toBeLessThan(1e-5);
      expect(findings).toContain('vanishing');
      const [kept, none] = await kindsFor('lstm', { forgetBias: 5 });
      expect(kept).toBeGreaterThan(1e-3);
      expect(none).not.toContain('vanishing');
    });

    test('says where no weight gets a gradient, as in a perceptron', async () => {
      const model = perceptron(on.device, { inputs: 3 });
      model.weight.write([1, -1, 0.5]);
      const inspection = await inspect(model, () => model.forward(data()).sub(1).abs().mean());
      expect(inspection.loss).toBeGreaterThan(0);
      expect(findingsOf(inspection)).toEqual([
        { kind: 'vanishing', message: 'no gradient comes to any weight: none of them learns by it' },
      ]);
    });

    test('tells which gates stand at an end: shares of values, and of units that stay there', async () => {
      const model = sequenceModel(on.device, { cell: 'lstm', inputs: 2, hidden: 4, outputs: 1, seed: 4 });
      // Units 0 to 2 forget everything, unit 3 nothing; whatever comes in.
      const bias = model.recurrent.weight('bias_ih_l0');
      const values = Array.from(await bias.toArray());
      bias.write(values.map((value, i) => (i < 4 || i > 7 ? value : i < 7 ? -20 : 20)));
      const x = normal(on.device, [3, 5, 2], 6);
      const inspection = await inspect(model, () => {
        return model
          .forward(x, Mode.evaluation(), { lengths: [5, 2, 4] })
          .output.mul(1)
          .sum();
      });
      const [cell] = inspection.layers;
      expect(cell?.gates?.map(({ name }) => name).sort()).toEqual(['f', 'g', 'i', 'o', 'output']);
      const forget = cell?.gates?.find(({ name }) => name === 'f');
      expect(forget).toMatchObject({ activation: 'sigmoid', ends: [0, 1], near: [0.75, 0.25], units: [0.75, 0.25] });
      expect(forget?.mean).toBeCloseTo(0.25, 5);
      const [trace] = model.recurrent.trace(x, { lengths: [5, 2, 4] });
      const input = await valuesOf(trace?.values['i'] ?? x);
      const opened = cell?.gates?.find(({ name }) => name === 'i');
      expect(opened?.mean).toBeCloseTo(input.reduce((sum, value) => sum + value, 0) / (11 * 4), 5);
      expect(findingsOf(inspection).map(({ message }) => message)).toContain(
        '75 % of the units of recurrent.l0 hold f near 0 for nine inputs of ten',
      );
      for (const { values: kept } of [trace].filter((one) => one !== undefined)) {
        for (const value of Object.values(kept)) value.dispose();
      }
    });

    test('leaves padding out of every average', async () => {
      const model = sequenceModel(on.device, { cell: 'gru', inputs: 2, hidden: 3, outputs: 1, seed: 4 });
      const wanted = tensor(on.device, [[0.5], [-0.5]]);
      const run = (rows: number[][], lengths: number[], targets: Tensor) => {
        return inspect(model, () => {
          const { output } = model.forward(tensor(on.device, rows, [lengths.length, 3, 2]), Mode.evaluation(), {
            lengths,
          });
          return { loss: meanSquaredError(output, targets, { reduction: 'sum' }), lengths };
        });
      };
      const [long, short] = [
        [1, 2, 3, 4, 5, 6],
        [7, 8],
      ];
      const padded = await run([[...long, ...short, 0, 0, 0, 0]], [3, 1], wanted);
      const other = await run([[...long, ...short, 9, 9, 9, 9]], [3, 1], wanted);
      expect(other.layers).toEqual(padded.layers);
      expect(padded.layers[0]?.values).toBe(4);
      expect(padded.layers[0]?.gradientNormByStep).toHaveLength(3);
    });

    test('leaves padding out of the layers before it is masked', async () => {
      const config = mlpConfig({ inputs: 3, hidden: [4], outputs: 1 });
      const model = new BagOfTokens(new Initializer(on.device, 2), { vocabSize: 5, mlp: config });
      const values = async (ids: number[][], mask: number[][], lengths: number[]): Promise<[number, number]> => {
        const { layers } = await inspect(model, () => {
          const tokens = tensor(on.device, Int32Array.from(ids.flat()), [ids.length, 2]);
          const output = model.forward(tokens, tensor(on.device, mask), Mode.evaluation());
          return { loss: output.mul(output).sum(), lengths };
        });
        return [layers[0]?.values ?? 0, layers[0]?.mean ?? Number.NaN];
      };
      const [count, mean] = await values(
        [
          [1, 2],
          [3, 0],
        ],
        [
          [1, 1],
          [1, 0],
        ],
        [2, 1],
      );
      const [, apart] = await values([[1, 2]], [[1, 1]], [2]);
      const [, alone] = await values([[3, 3]], [[1, 0]], [1]);
      expect(count).toBe(3);
      expect(mean).toBeCloseTo((2 * apart + alone) / 3, 6);
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
