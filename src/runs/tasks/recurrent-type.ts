import { resolveActivation } from '../../activations/catalogue.js';
import type { Activation } from '../../activations/kinds.js';
import { counted } from '../../base/units.js';
import type { Examples } from '../../data/examples.js';
import { padExamples } from '../../data/sequences.js';
import { encodedWidth, type TableEncoding } from '../../data/table-encoding.js';
import type { Device } from '../../devices/device.js';
import { Initializer } from '../../layers/initialization.js';
import type { Mode } from '../../layers/mode.js';
import { type RecurrentCellName, SequenceReader, type SequenceReaderConfig } from '../../models/sequence-reader.js';
import { type Tensor, tensor } from '../../tensor/index.js';
import type { PartialSettings, Settings } from '../settings.js';
import { type ExampleModelType, gradientDefaults, gradientSettings, trainedByGradients } from './example-model.js';
import { headOf } from './heads.js';

/** What each cell calls the activation of its candidate. */
const roles = {
  rnn: (activation: Activation) => ({ activation }),
  lstm: (activation: Activation) => ({ candidate: activation, output: activation }),
  gru: (activation: Activation) => ({ candidate: activation }),
} as const satisfies Record<RecurrentCellName, (activation: Activation) => Readonly<Record<string, Activation>>>;

const defaults: PartialSettings = {
  ...gradientDefaults,
  ...{ layers: 1, hidden: 64, dim: 32, tokenizer: 'bpe:2048', context: 256 },
};

/** Sequences that one of the recurrent cells reads. */
const recurrentType = (cell: RecurrentCellName): ExampleModelType => ({
  settings: [...gradientSettings, ...(['layers', 'hidden', 'activation', 'dropout', 'bidirectional'] as const)],
  defaults,
  formulaOf: ({ activation }) => resolveActivation(activation ?? 'tanh'),
  memoryBytes,
  build: (parts) => {
    const { device, settings, formula, encoding } = parts;
    const config = configOf(cell, settings, formula, encoding);
    const model = new SequenceReader(new Initializer(device, settings.seed), config);
    const isSeries = encoding.sequence?.series !== undefined;
    return trainedByGradients(parts, {
      model,
      description: `${cell}, ${counted(model.parameterCount, 'parameter')}: ${describe(config, formula)}`,
      forward: (examples, mode) => {
        const outputs = read(device, model, config, examples, mode);
        // What is learned of a series is how it goes on from its last value: Zeng 2022, arXiv:2205.13504.
        return isSeries ? outputs.add(lastValues(device, examples)) : outputs;
      },
    });
  },
});

function configOf(
  cell: RecurrentCellName,
  { layers, hidden, dropout, bidirectional, pooling, dim }: Settings,
  formula: Activation,
  encoding: TableEncoding,
): SequenceReaderConfig {
  const [first] = encoding.inputs;
  const { outputs } = headOf(encoding, undefined);
  const saysClasses = encoding.target.kind === 'words' && (encoding.sequence?.targets ?? 1) > 1;
  return {
    cell,
    inputs: first?.kind === 'text' ? { vocabSize: first.vocabularySize, dim } : encodedWidth(encoding),
    hidden,
    recurrent: { layers, bidirectional, dropout, activations: roles[cell](formula) },
    outputs,
    steps: saysClasses ? encoding.sequence?.targets : undefined,
    pooling: pooling ?? (first?.kind === 'text' ? 'mean' : 'last'),
  };
}

function read(
  device: Device,
  model: SequenceReader,
  { inputs }: SequenceReaderConfig,
  examples: Examples,
  mode: Mode,
): Tensor {
  const { values, lengths, length } = padExamples(examples);
  const { count, width } = examples;
  const steps =
    typeof inputs === 'number'
      ? tensor(device, values, [count, length, width])
      : tensor(device, Int32Array.from(values), [count, length]);
  return model.forward(steps, Array.from(lengths), mode);
}

/** The last value of the first column of each window, [count, 1]. */
function lastValues(device: Device, { count, width, inputs }: Examples): Tensor {
  const size = inputs.length / count;
  return tensor(
    device,
    Float32Array.from({ length: count }, (_, i) => inputs[(i + 1) * size - width] ?? 0),
    [count, 1],
  );
}

function describe(
  { cell, inputs, hidden, recurrent, outputs, steps, pooling }: SequenceReaderConfig,
  formula: Activation,
) {
  const from = typeof inputs === 'number' ? `${inputs}` : `${inputs.vocabSize} tokens > ${inputs.dim}`;
  const { layers = 1, bidirectional = false } = recurrent;
  const stack = Array.from({ length: layers }, () => `${hidden}${bidirectional ? ' x 2' : ''}`);
  const at =
    steps !== undefined ? ` at the last ${steps} steps` : pooling === 'mean' ? ' from the mean of all steps' : '';
  return `${[from, ...stack, outputs].join(' > ')}${at}, ${cell === 'rnn' || formula.name !== 'tanh' ? formula.name : 'tanh and gates'}`;
}

/** Columns that each unit of a cell keeps for the way back, gradients counted; measured by the largest, the LSTM. */
const columnsKept = 14;

function memoryBytes(settings: Settings, encoding: TableEncoding): number {
  const { layers, hidden, batch, bidirectional, dim } = settings;
  const [first] = encoding.inputs;
  const directions = bidirectional ? 2 : 1;
  const inputs = first?.kind === 'text' ? dim : encodedWidth(encoding);
  const steps = batch * (encoding.sequence?.longest ?? 1);
  const weights = 4 * hidden * directions * (inputs + hidden + (layers - 1) * hidden * (directions + 1));
  const vocabulary = first?.kind === 'text' ? first.vocabularySize * dim : 0;
  return 4 * (4 * (weights + vocabulary) + steps * (2 * inputs + layers * directions * columnsKept * hidden));
}

export const [rnnType, lstmType, gruType] = [recurrentType('rnn'), recurrentType('lstm'), recurrentType('gru')];
