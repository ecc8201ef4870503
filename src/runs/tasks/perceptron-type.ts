import { SluiceError } from '../../base/errors.js';
import { plural } from '../../base/plural.js';
import { counted } from '../../base/units.js';
import { encodedWidth, type TableEncoding } from '../../data/table-encoding.js';
import { Initializer } from '../../layers/initialization.js';
import { Perceptron, perceptronOutputs } from '../../models/perceptron.js';
import { tensor } from '../../tensor/index.js';
import { PerceptronTrainer } from '../../training/perceptron-trainer.js';
import { perceptronCodec } from '../codecs/perceptron.js';
import { type ExampleModel, type ExampleModelType, type ModelParts, stopsGradients } from './example-model.js';
import type { Head } from './heads.js';
import { whyNotLearned } from './perceptron-verdict.js';

export const perceptronType: ExampleModelType = {
  settings: ['outputs'],
  defaults: { steps: 100, lr: 1, minLr: 1, schedule: 'constant', warmup: 0, evalEvery: 25, saveEvery: 100 },
  formulaOf: ({ outputs }) => perceptronOutputs[outputs],
  memoryBytes: (_, encoding) => 16 * (encodedWidth(encoding) + 1),
  build: buildPerceptron,
};

/** Undoes what was done to columns of numbers; words stay a 1 and zeros. */
function unitsOf({ inputs }: TableEncoding): (example: ArrayLike<number>) => number[] {
  const scales = inputs.flatMap((column) =>
    column.kind === 'words'
      ? column.words.map(() => ({ mean: 0, deviation: 1 }))
      : [column.kind === 'number' ? column : { mean: 0, deviation: 1 }],
  );
  return (example) => Array.from(example, (x, i) => x * (scales[i]?.deviation ?? 1) + (scales[i]?.mean ?? 0));
}

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
    config: perceptronCodec.encode({ inputs, outputs: settings.outputs }),
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
      throw whyNotLearned(training, {
        words: target.words,
        passes: learner.done,
        loss,
        slope,
        inUnits: unitsOf(encoding),
      });
    },
  };
}
