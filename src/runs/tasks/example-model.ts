import type { Activation } from '../../activations/kinds.js';
import { plural } from '../../base/plural.js';
import type { RandomKey } from '../../base/random.js';
import { type Examples, lengthsOf, selectExamples } from '../../data/examples.js';
import type { TableEncoding } from '../../data/table-encoding.js';
import type { Device } from '../../devices/device.js';
import type { Layer } from '../../layers/layer.js';
import { Mode } from '../../layers/mode.js';
import { derivative } from '../../scalar/differentiate.js';
import { simplify } from '../../scalar/simplify.js';
import type { Tensor } from '../../tensor/index.js';
import { ExampleTrainer, type Objective } from '../../training/example-trainer.js';
import type { Prediction } from '../../training/judge-examples.js';
import type { Learner } from '../../training/learner.js';
import type { Json } from '../codecs/codec.js';
import { optimizerSettings, ruleOf } from '../optimizer-settings.js';
import type { PartialSettings, SettingName, Settings } from '../settings.js';
import type { Judgement } from '../task.js';
import { type Head, headOf } from './heads.js';

export interface ModelParts {
  readonly device: Device;
  readonly settings: Settings;
  /** The run's own, which may be one that this source does not know. */
  readonly formula: Activation;
  readonly encoding: TableEncoding;
  /** Varies examples that are learned from, in a way that does not change what is to be said of them. */
  vary?(examples: Examples, key: RandomKey): Examples;
}

/** A model of examples that was made, with what it takes to train and to ask it. */
export interface ExampleModel {
  readonly model: Layer;
  readonly head: Head;
  /** Written as config.json. */
  readonly config: Json;
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
  /** Defaults that hold whatever the examples are. */
  readonly own?: PartialSettings;
  /** What --hidden is where nothing says it; 1 by default. */
  usualHidden?(settings: Pick<Settings, 'dim'>): number;
  formulaOf(settings: Settings): Activation;
  /** What a person should know before it trains. */
  warn?(formula: Activation, settings: Settings): string | undefined;
  /** Bytes that a training step holds. */
  memoryBytes(settings: Settings, encoding: TableEncoding): number;
  build(parts: ModelParts): ExampleModel;
}

/** Whether no gradient comes through a function: its derivative, as the system derives it, is 0. */
export const stopsGradients = (formula: Activation): boolean =>
  simplify(derivative(formula.expression, 'x')).value === 0;

/** Settings of every model that learns by gradients. */
export const gradientSettings: readonly SettingName[] = [
  ...(['loss', 'labelSmoothing', 'posWeight', 'batch', 'accumulate', 'warmup'] as const),
  ...optimizerSettings,
];

export const gradientDefaults: PartialSettings = {
  ...{ batch: 32, steps: 1000, lr: 1e-2, warmup: 20, weightDecay: 0, beta2: 0.999, evalEvery: 100, saveEvery: 500 },
};

export interface Differentiable {
  readonly model: Layer;
  readonly config: Json;
  readonly description: string;
  /** [count, outputs of the head] of examples. */
  forward(examples: Examples, mode: Mode): Tensor;
}

/** A model that learns by the gradients of its head's loss. */
export function trainedByGradients(
  { device, settings, encoding, vary = (examples) => examples }: ModelParts,
  { model, config, description, forward }: Differentiable,
): ExampleModel {
  const head = headOf(encoding, settings);
  const { batch, accumulate, seed, labelSmoothing } = settings;
  const optimizer = ruleOf(settings);
  const ask = (examples: Examples, mode: Mode, smoothing = 0): Prediction => {
    const outputs = forward(examples, mode);
    return { outputs, loss: head.lossOf(outputs, head.targets(device, examples.targets), smoothing) };
  };
  return {
    model,
    head,
    config,
    description,
    method: `${plural(batch * accumulate, 'example')}, ${head.loss}, ${optimizer.name}`,
    stepsPerEpoch: (examples) => examples / (batch * accumulate),
    predict: (examples) => ask(examples, Mode.evaluation()),
    learner: (training, done) => {
      const objective: Objective = {
        model,
        count: training.count,
        loss: (indices, mode) =>
          ask(vary(selectExamples(training, indices), mode.nextKey()), mode, labelSmoothing).loss,
        ...(training.offsets === undefined ? {} : { lengths: lengthsOf(training) }),
      };
      const options = { batch, accumulate, seed, optimizer };
      return new ExampleTrainer(device, objective, options, done);
    },
  };
}
