import { resolveActivation } from '../../activations/catalogue.js';
import type { Activation } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import { plural } from '../../base/plural.js';
import { counted } from '../../base/units.js';
import { type Examples, selectExamples } from '../../data/examples.js';
import { encodedWidth, type TableEncoding } from '../../data/table-encoding.js';
import type { Device } from '../../devices/device.js';
import { Initializer } from '../../layers/initialization.js';
import type { Layer } from '../../layers/layer.js';
import { Mode } from '../../layers/mode.js';
import { Mlp, mlpConfig } from '../../models/mlp.js';
import { Perceptron, perceptronOutputs } from '../../models/perceptron.js';
import { derivative } from '../../scalar/differentiate.js';
import { simplify } from '../../scalar/simplify.js';
import { type Tensor, tensor } from '../../tensor/index.js';
import { ExampleTrainer } from '../../training/example-trainer.js';
import type { Prediction } from '../../training/judge-examples.js';
import type { Learner } from '../../training/learner.js';
import { PerceptronTrainer } from '../../training/perceptron-trainer.js';
import type { PartialSettings, SettingName, Settings } from '../settings.js';
import type { Judgement } from '../task.js';
import { type Head, headOf } from './heads.js';
import { whyNotLearned } from './perceptron-verdict.js';

export interface ModelParts {
  readonly device: Device;
  readonly settings: Settings;
  /** The run's own, which may be one that this source does not know. */
  readonly formula: Activation;
  readonly encoding: TableEncoding;
}

/** A model of examples that was made, with what it takes to train and to ask it. */
export interface ExampleModel {
  readonly model: Layer;
  readonly head: Head;
  /** For a person. */
  readonly description: string;
  /** What a step learns from, and by which rule. */
  readonly method: string;
  /** Steps in a pass over so many examples. */
  stepsPerEpoch(examples: number): number;
  predict(examples: Examples): Prediction;
  learner(training: Examples, done: number): Learner;
  /** @throws SluiceError `data` that says why nothing could be learned. */
  conclude?(learner: Learner, training: Examples, judgement: Judgement): void;
}

/** A type of model for examples. */
export interface ExampleModelType {
  /** The settings that it has a use for beside those of every run. */
  readonly settings: readonly SettingName[];
  readonly defaults: PartialSettings;
  formulaOf(settings: Settings): Activation;
  /** What a person should know before it trains. */
  warn?(formula: Activation): string | undefined;
  /** Bytes that a training step holds. */
  memoryBytes(settings: Settings, inputs: number, outputs: number): number;
  build(parts: ModelParts): ExampleModel;
}

/** Whether no gradient comes through a function: its derivative, as the system derives it, is 0. */
const stopsGradients = (formula: Activation): boolean => simplify(derivative(formula.expression, 'x')).value === 0;

const mlpType: ExampleModelType = {
  settings: [
    ...(['loss', 'labelSmoothing', 'initialization', 'layers', 'hidden', 'activation', 'dropout'] as const),
    ...(['batch', 'accumulate', 'warmup', 'weightDecay', 'beta2', 'clip'] as const),
  ],
  defaults: {
    ...{ layers: 2, hidden: 32, batch: 32, steps: 1000, lr: 1e-2, warmup: 20, weightDecay: 0, beta2: 0.999 },
    ...{ evalEvery: 100, saveEvery: 500 },
  },
  formulaOf: ({ activation }) => resolveActivation(activation ?? 'relu'),
  warn: (formula) =>
    stopsGradients(formula)
      ? `the derivative of ${formula.name} is 0 everywhere: no gradient comes through it, and only the last layer learns`
      : undefined,
  memoryBytes: ({ layers, hidden, batch }, inputs, outputs) => {
    const units = layers * hidden + outputs;
    const weights = inputs * hidden + (layers - 1) * hidden * hidden + hidden * outputs + units;
    // Weights, gradients and two moments; of each unit its sum, its value, and both gradients.
    return 4 * (4 * weights + batch * (inputs + 4 * units));
  },
  build: buildMlp,
};

function buildMlp({ device, settings, formula, encoding }: ModelParts): ExampleModel {
  const head = headOf(encoding, settings.loss);
  const { layers, hidden, dropout, initialization, batch, accumulate, seed, labelSmoothing } = settings;
  const { weightDecay, clip, beta2 } = settings;
  const config = mlpConfig({
    inputs: encodedWidth(encoding),
    hidden: Array.from({ length: layers }, () => hidden),
    outputs: head.outputs,
    activation: formula,
    dropout,
    ...(initialization === undefined ? {} : { initialization }),
  });
  const model = new Mlp(new Initializer(device, seed), config);
  const ask = (examples: Examples, mode: Mode, smoothing = 0): Prediction => {
    const { count, width, inputs, targets } = examples;
    const outputs = model.forward(tensor(device, inputs, [count, width]), mode);
    return { outputs, loss: head.lossOf(outputs, head.targets(device, targets), smoothing) };
  };
  const widths = [config.inputs, ...config.hidden, config.outputs].join(' > ');
  return {
    model,
    head,
    description: `MLP, ${counted(model.parameterCount, 'parameter')}: ${widths}, ${formula.name}, ${config.initialization} weights`,
    method: `${plural(batch * accumulate, 'example')}, ${head.loss}, AdamW`,
    stepsPerEpoch: (examples) => examples / (batch * accumulate),
    predict: (examples) => ask(examples, Mode.evaluation()),
    learner: (training, done) => {
      const loss = (indices: Int32Array, mode: Mode): Tensor =>
        ask(selectExamples(training, indices), mode, labelSmoothing).loss;
      const options = { batch, accumulate, seed, optimizer: { weightDecay, clip, beta2 } };
      return new ExampleTrainer(device, { model, count: training.count, loss }, options, done);
    },
  };
}

const perceptronType: ExampleModelType = {
  settings: ['outputs'],
  defaults: { steps: 100, lr: 1, minLr: 1, schedule: 'constant', warmup: 0, evalEvery: 25, saveEvery: 100 },
  formulaOf: ({ outputs }) => perceptronOutputs[outputs],
  memoryBytes: (_, inputs) => 16 * (inputs + 1),
  build: buildPerceptron,
};

function buildPerceptron({ device, settings, encoding }: ModelParts): ExampleModel {
  const { target } = encoding;
  if (target.kind !== 'words' || target.words.length !== 2) {
    throw new SluiceError('argument', {
      rule: 'a perceptron tells two classes apart',
      received:
        target.kind === 'words' ? `${target.words.length} classes of ${target.name}` : `values of ${target.name}`,
      remedy: 'Use --model mlp.',
    });
  }
  const inputs = encodedWidth(encoding);
  const model = new Perceptron(new Initializer(device, settings.seed), { inputs, outputs: settings.outputs });
  const [low, high] = model.outputs;
  const head: Head = {
    loss: 'mistakes',
    outputs: 1,
    targets: (on, targets) =>
      tensor(
        on,
        Float32Array.from(targets, (t) => (t === 0 ? low : high)),
      ),
    lossOf: (outputs, targets) =>
      outputs
        .sub(targets)
        .abs()
        .div(high - low)
        .sum(),
    scores: (outputs) => Float64Array.of(0, (outputs[0] ?? 0) - (low + high) / 2),
  };
  return {
    model,
    head,
    description: `perceptron, ${counted(model.parameterCount, 'parameter')}: ${plural(inputs, 'input')}, outputs ${low} and ${high}`,
    method: "a pass over the examples, Rosenblatt's rule",
    stepsPerEpoch: () => 1,
    predict: ({ count, width, inputs, targets }) => {
      const outputs = model.forward(tensor(device, inputs, [count, width]));
      return { outputs, loss: head.lossOf(outputs, head.targets(device, targets)) };
    },
    learner: (training, done) => new PerceptronTrainer(device, model, training, settings.seed, done),
    conclude: (learner, training, { loss }) => {
      if (learner.isFinished === true) return;
      const slope = stopsGradients(model.unit) ? `the derivative of ${model.unit.name} is 0 everywhere` : undefined;
      throw whyNotLearned(training, { words: target.words, passes: learner.done, loss, slope });
    },
  };
}

export const exampleModels: Readonly<Record<string, ExampleModelType>> = { mlp: mlpType, perceptron: perceptronType };
