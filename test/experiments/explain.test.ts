import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogue } from '../../src/activations/catalogue.js';
import type { Activation } from '../../src/activations/kinds.js';
import type { Device } from '../../src/devices/device.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { agreementOf } from '../../src/experiments/explain/autograd.js';
import { explainFeedForward, type FeedForwardTrace } from '../../src/experiments/explain/feed-forward.js';
import { feedForwardLines } from '../../src/experiments/explain/feed-forward-lines.js';
import { figure } from '../../src/experiments/explain/lines.js';
import { explainedLosses } from '../../src/experiments/explain/loss-names.js';
import { networkSvg } from '../../src/experiments/explain/picture.js';
import { type ProblemOptions, problemOf } from '../../src/experiments/explain/problem.js';
import { explainRecurrent, type RecurrentTrace } from '../../src/experiments/explain/recurrent.js';
import { recurrentLines } from '../../src/experiments/explain/recurrent-lines.js';
import { Initializer } from '../../src/layers/initialization.js';
import { Mode } from '../../src/layers/mode.js';
import { Mlp, mlpConfig } from '../../src/models/mlp.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';
import { binaryCrossEntropy, crossEntropy, huber, meanSquaredError } from '../../src/training/losses.js';

let reference: Device;
beforeAll(async () => {
  reference = await openReference();
});
afterAll(() => reference.close());

function traceOf(options: Partial<ProblemOptions> = {}): FeedForwardTrace | RecurrentTrace {
  const problem = problemOf({ recurrent: false, learningRate: 0.5, ...options });
  return problem.kind === 'recurrent' ? explainRecurrent(problem) : explainFeedForward(problem);
}
const feedForward = (options: Partial<ProblemOptions> = {}): FeedForwardTrace => {
  const trace = traceOf(options);
  if ('steps' in trace) throw new Error('a network without time');
  return trace;
};
const recurrent = (options: Partial<ProblemOptions> = {}): RecurrentTrace => {
  const trace = traceOf({ recurrent: true, ...options });
  if (!('steps' in trace)) throw new Error('a network with time');
  return trace;
};

/** The 2 > 2 > 2 network of Mazur's "A step by step backpropagation example" (2015). */
const mazur = {
  widths: [2, 2, 2],
  input: [[0.05, 0.1]],
  target: [[0.01, 0.99]],
  weights: {
    layers: [
      {
        weight: [
          [0.15, 0.2],
          [0.25, 0.3],
        ],
        bias: [0.35, 0.35],
      },
      {
        weight: [
          [0.4, 0.45],
          [0.5, 0.55],
        ],
        bias: [0.6, 0.6],
      },
    ],
  },
};

describe('a published example', () => {
  test('comes out as published', () => {
    const { layers, loss } = feedForward(mazur);
    expect(layers[0]?.a[0]).toBeCloseTo(0.593269992, 9);
    expect(layers[1]?.a[0]).toBeCloseTo(0.75136507, 9);
    expect(layers[1]?.a[1]).toBeCloseTo(0.772928465, 9);
    expect(loss).toBeCloseTo(0.298371109, 9);
    expect(layers[1]?.weight.gradient[0]?.[0]).toBeCloseTo(0.082167041, 9);
    expect(layers[1]?.weight.updated.flat()).toEqual(
      [0.35891648, 0.408666186, 0.51130127, 0.561370121].map((x) => expect.closeTo(x, 8)),
    );
    expect(layers[0]?.weight.updated.flat()).toEqual(
      [0.149780716, 0.19956143, 0.24975114, 0.29950229].map((x) => expect.closeTo(x, 8)),
    );
  });
});

/** The library's own model with these weights. */
async function modelOf({ problem }: FeedForwardTrace): Promise<Mlp> {
  const { widths, activation, weights } = problem;
  const [inputs = 1, ...more] = widths;
  const shape = mlpConfig({ inputs, hidden: more.slice(0, -1), outputs: more.at(-1) ?? 1, activation });
  const model = new Mlp(new Initializer(reference, 0), shape);
  model.layers.forEach((layer, l) => {
    layer.weight.write(weights[l]?.weight.flat() ?? []);
    layer.bias?.write(weights[l]?.bias ?? []);
  });
  return model;
}

const lossesOf: Readonly<Record<string, (outputs: Tensor, targets: readonly number[]) => Tensor>> = {
  'half-squared-error': (o, y) => meanSquaredError(o, tensor(reference, [y]), { reduction: 'sum' }).div(2),
  mse: (o, y) => meanSquaredError(o, tensor(reference, [y]), { reduction: 'mean' }),
  huber: (o, y) => huber(o, tensor(reference, [y]), { reduction: 'mean' }),
  'binary-cross-entropy': (o, y) => binaryCrossEntropy(o, tensor(reference, [y]), { reduction: 'mean' }),
  'cross-entropy': (o, y) => crossEntropy(o, tensor(reference, Int32Array.of(y.indexOf(1))), { reduction: 'mean' }),
};

const digitsOf = (values: ArrayLike<number>): string[] => Array.from(values, figure);

describe('every digit that is shown', () => {
  test.each(explainedLosses)("is that of autograd through the library's own layers and its %s", async (loss) => {
    const options = {
      widths: [3, 4, 3, 2],
      activation: 'tanh',
      loss,
      target: [[0, 1]],
      seed: 3,
      outputActivation: 'identity',
    };
    const trace = feedForward(options);
    const model = await modelOf(trace);
    const outputs = model.forward(tensor(reference, [trace.problem.input]), Mode.evaluation());
    const made = lossesOf[loss]?.(outputs, trace.problem.target);
    made?.backward();
    expect(figure(trace.loss)).toBe(figure((await made?.item()) ?? Number.NaN));
    for (const [l, { weight, bias }] of model.layers.entries()) {
      const { weight: shown, bias: shownBias } = trace.layers[l] ?? { weight: undefined, bias: undefined };
      expect(digitsOf(shown?.gradient.flat() ?? [])).toEqual(digitsOf((await weight.grad?.toArray()) ?? []));
      expect(digitsOf(shownBias?.gradient ?? [])).toEqual(digitsOf((await bias?.grad?.toArray()) ?? []));
    }
    const text = feedForwardLines(trace)
      .flatMap(({ lines }) => lines)
      .join('\n');
    const first = (await model.layers[0]?.weight.grad?.toArray())?.[0] ?? Number.NaN;
    expect(text).toMatch(new RegExp(`^W_1\\[1,1\\] +\\S+ +${figure(first).replace('.', '\\.')} +`, 'm'));
  });

  const activations = catalogue().filter((formula): formula is Activation => formula.kind === 'activation');
  test.each(
    activations.map(({ name }) => name),
  )('is that of autograd through %s, and through time', async (activation) => {
    for (const trace of [
      feedForward({ widths: [2, 3, 2], activation, seed: 1 }),
      recurrent({ widths: [2, 3, 2], activation, seed: 1 }),
    ]) {
      const { largestDifference, loss } = await agreementOf(reference, trace);
      expect(largestDifference).toBeLessThan(1e-12);
      expect(figure(loss)).toBe(figure(trace.loss));
    }
  });

  test('is found on a device of float32 too, to its precision', async () => {
    const wasm = await openWasm({ threads: 1 });
    const { device, largestDifference } = await agreementOf(wasm, recurrent());
    await wasm.close();
    expect(device).toBe('wasm');
    expect(largestDifference).toBeGreaterThan(0);
    expect(largestDifference).toBeLessThan(1e-6);
  });
});

describe('back-propagation through time', () => {
  test('sends the last error to the first step, through W_hh transposed', () => {
    const shared = { input: [[1], [1], [1]], activation: 'identity', loss: 'half-squared-error' };
    const weights = {
      xh: [[1], [0]],
      hh: [
        [0, 2],
        [3, 0],
      ],
      h: [0, 0],
      ho: [[1, 0]],
      o: [0],
    };
    const { steps } = recurrent({ ...shared, weights, target: [[1], [1], [0]] });
    // o: 1, 1, 7: errors 0, 0, 7.
    expect(steps.map(({ deltaOutput }) => deltaOutput)).toEqual([[0], [0], [7]]);
    expect(steps.map(({ delta }) => delta)).toEqual([
      [42, 0],
      [0, 14],
      [7, 0],
    ]);
  });

  test('sums each gradient over time', () => {
    const { steps, parameters, loss } = recurrent();
    const [first] = parameters.xh.gradient[0] ?? [];
    expect(first).toBeCloseTo(
      steps.reduce((sum, { delta, x }) => sum + (delta[0] ?? 0) * (x[0] ?? 0), 0),
      15,
    );
    expect(loss).toBeCloseTo(
      steps.reduce((sum, step) => sum + step.loss, 0),
      15,
    );
    const lines = recurrentLines(recurrent()).flatMap((section) => section.lines);
    expect(lines).toContainEqual(expect.stringMatching(/^W_hh\[1,2\] .* = \S+ \* 0 \+ /));
  });
});

describe('the picture', () => {
  test('has every unit, every weight and every gradient', () => {
    const svg = networkSvg(feedForward(mazur));
    expect(svg.match(/<circle /g)).toHaveLength(6);
    expect(svg.match(/<line /g)).toHaveLength(8);
    expect(svg).toContain('0.4, ∂ 0.0822</text>');
    const unrolled = networkSvg(recurrent());
    expect(unrolled.match(/<circle /g)).toHaveLength(3 * 4);
    expect(unrolled).toContain('t = 3, loss 0.0171');
  });
});

describe('a problem is refused', () => {
  test.each<[string, Partial<ProblemOptions>, RegExp]>([
    ['with an unknown loss', { loss: 'mze' }, /a loss is one of .*received "mze"\. Did you mean "mse"/],
    ['with an unknown activation', { activation: 'sigmod' }, /Did you mean "sigmoid"/],
    ['with a gate as its activation', { activation: 'swiglu' }, /an activation is one of the catalogue/],
    [
      'with an input too many',
      { widths: [2, 1], input: [[1, 2, 3]] },
      /--input has 2 finite numbers, received \[1, 2, 3\]/,
    ],
    ['with a width of 0', { widths: [2, 0, 1] }, /--widths are whole numbers from 1 to 12/],
    ['that nobody can follow', { widths: [12, 12, 12] }, /at most 250 weights and biases/],
    [
      'with time steps without --recurrent',
      {
        input: [
          [1, 2],
          [3, 4],
        ],
      },
      /--input has time steps for --recurrent alone/,
    ],
    [
      'with weights that are transposed',
      { ...mazur, widths: [3, 2, 2], input: [[1, 2, 3]] },
      /the weight of layer 1 is \[2, 3\]/,
    ],
    ['with weights of another kind', { weights: { xh: [[1]] } }, /weights are {"layers"/],
    ['with too few layers', { widths: [2, 2, 2, 2], weights: mazur.weights }, /has 3 layers, received 2/],
    ['with an activation before a cross-entropy', { loss: 'cross-entropy', outputActivation: 'relu' }, /takes logits/],
    [
      'with targets that are no probabilities',
      { loss: 'cross-entropy', widths: [2, 2], target: [[1, 1]] },
      /sum to 1, received \[1, 1\]/,
    ],
    ['recurrent with two hidden layers', { recurrent: true, widths: [1, 2, 2, 1] }, /inputs, hidden units, outputs/],
    ['recurrent with an output activation', { recurrent: true, outputActivation: 'tanh' }, /outputs W_ho h_t \+ b_o/],
    [
      'recurrent with targets that are too few',
      { recurrent: true, target: [[1]], input: [[1], [1]] },
      /--target has 2 time steps of 1/,
    ],
    ['recurrent with half its weights', { recurrent: true, weights: { xh: [[1]] } }, /weights are {"xh"/],
  ])('%s', (_, options, message) => {
    expect(() => traceOf(options)).toThrow(message);
  });
});
