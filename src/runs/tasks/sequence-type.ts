import { resolveActivation } from '../../activations/catalogue.js';
import { type CellName, findCell } from '../../activations/cells.js';
import { counted } from '../../base/units.js';
import type { Examples } from '../../data/examples.js';
import { padExamples } from '../../data/sequences.js';
import { encodedWidth, type TableEncoding } from '../../data/table-encoding.js';
import { Initializer } from '../../layers/initialization.js';
import type { Mode } from '../../layers/mode.js';
import { Forecaster, type Shortcut } from '../../models/forecaster.js';
import { SequenceModel, type SequenceModelConfig, sequenceModelConfig } from '../../models/sequence-model.js';
import { type Tensor, tensor } from '../../tensor/index.js';
import { forecasterCodec, sequenceCodec } from '../codecs/recurrent.js';
import type { PartialSettings, Settings } from '../settings.js';
import {
  type Differentiable,
  type ExampleModelType,
  gradientDefaults,
  gradientSettings,
  type ModelParts,
  trainedByGradients,
} from './example-model.js';
import { headOf } from './heads.js';
import { activationsOf, gateOf } from './recurrent-type.js';

const usual: PartialSettings = {
  ...gradientDefaults,
  ...{ layers: 1, hidden: 64, dim: 64, tokenizer: 'bpe:2048', context: 256, lr: 5e-3 },
};

/** A gate to forget by begins open: Jozefowicz 2015. A GRU bears a higher rate. */
const defaults: Readonly<Record<CellName, PartialSettings>> = {
  rnn: usual,
  lstm: { ...usual, forgetBias: 1 },
  gru: { ...usual, lr: 1e-2 },
};

/** Sequences that one of the recurrent cells reads. */
const sequenceType = (cell: CellName): ExampleModelType => ({
  settings: [
    ...gradientSettings,
    ...(['layers', 'hidden', 'activation', 'dropout', 'bidirectional'] as const),
    ...(cell === 'rnn' ? [] : (['gateActivation'] as const)),
    ...(cell === 'lstm' ? (['forgetBias'] as const) : []),
  ],
  defaults: defaults[cell],
  formulaOf: ({ activation }) => resolveActivation(activation ?? 'tanh'),
  warn: (_, { dropout, layers }) =>
    dropout > 0 && layers === 1
      ? `--dropout ${dropout} does nothing: it is between the layers, and there is one; give --layers 2 or more`
      : undefined,
  memoryBytes: (settings, encoding) => memoryBytes(cell, settings, encoding),
  build: (parts) => {
    const config = configOf(cell, parts);
    return trainedByGradients(
      parts,
      parts.encoding.sequence?.series === undefined ? reader(parts, config) : forecaster(parts, config),
    );
  },
});

function configOf(cell: CellName, { settings, formula: activation, encoding }: ModelParts): SequenceModelConfig {
  const { layers, hidden, dropout, bidirectional, readout, dim, forgetBias } = settings;
  const [first] = encoding.inputs;
  const isText = first?.kind === 'text';
  return sequenceModelConfig({
    ...{ cell, layers, hidden, dropout, bidirectional, forgetBias },
    ...(isText ? { inputs: dim, vocabSize: first.vocabularySize } : { inputs: encodedWidth(encoding) }),
    activations: activationsOf(cell, activation, gateOf(settings)),
    outputs: headOf(encoding, settings).outputs,
    answers: saidSteps(encoding) === undefined ? (readout ?? (isText ? 'mean' : 'last')) : 'each',
  });
}

/** At how many of the last steps a class is said; undefined where all is said at the end. */
function saidSteps({ target, sequence }: TableEncoding): number | undefined {
  const { targets = 1 } = sequence ?? {};
  return target.kind === 'words' && targets > 1 ? targets : undefined;
}

function reader({ device, settings, encoding }: ModelParts, config: SequenceModelConfig): Differentiable {
  const model = new SequenceModel(new Initializer(device, settings.seed), config);
  const said = saidSteps(encoding);
  const { vocabSize } = config;
  return {
    model,
    config: sequenceCodec.encode(config),
    description: describe(config, model.parameterCount),
    forward: (examples, mode) => {
      const { values, lengths, length } = padExamples(examples);
      const { count, width } = examples;
      const steps =
        vocabSize === undefined
          ? tensor(device, values, [count, length, width])
          : tensor(device, Int32Array.from(values), [count, length]);
      // Where no sequence is shorter, nothing needs to be packed.
      const isPadded = lengths.some((one) => one < length);
      const { output } = model.forward(steps, mode, isPadded ? { lengths: [...lengths] } : {});
      return said === undefined ? output : lastSteps(output, lengths, said);
    },
  };
}

/** What stands at the last steps of each sequence, [batch * steps, width]. */
function lastSteps(output: Tensor, lengths: Int32Array, steps: number): Tensor {
  const [, time = 1, width = 1] = output.shape;
  const places = Array.from(lengths).flatMap((length, i) =>
    Array.from({ length: steps }, (_, k) => i * time + length - steps + k),
  );
  return output.reshape([-1, width]).gather(tensor(output.device, Int32Array.from(places)));
}

function forecaster({ device, settings, encoding }: ModelParts, network: SequenceModelConfig): Differentiable {
  const window = encoding.sequence?.longest ?? 1;
  const { shortcut, seed } = settings;
  const config = { network, window, shortcut };
  const model = new Forecaster(new Initializer(device, seed), config);
  return {
    model,
    config: forecasterCodec.encode(config),
    description: `${describe(network, model.parameterCount)}${shortcutNames[shortcut]}`,
    forward: ({ count, width, inputs }: Examples, mode: Mode) =>
      model.forward(tensor(device, inputs, [count, window, width]), mode),
  };
}

const shortcutNames: Readonly<Record<Shortcut, string>> = {
  none: '',
  last: ', added to the last value',
  linear: ', added to the last value and a linear forecast',
};

/** For a person: lstm, 17k parameters: 2 > 64 > 1, tanh. */
function describe(
  { cell, inputs, vocabSize, hidden, layers, bidirectional, outputs, activations, answers }: SequenceModelConfig,
  parameters: number,
): string {
  const from = vocabSize === undefined ? [inputs] : [`${vocabSize} tokens`, inputs];
  const units = Array.from({ length: layers }, () => (bidirectional ? `2 x ${hidden}` : hidden));
  const names = [...new Set(Object.values(activations).map(({ name }) => name))].join(' and ');
  return `${cell}, ${counted(parameters, 'parameter')}: ${[...from, ...units, outputs].join(' > ')}, ${names}${answers === 'mean' ? ', the mean of all steps' : ''}`;
}

/** Bytes of weights, gradients and two moments, and of what back-propagation through all steps needs. */
function memoryBytes(cell: CellName, settings: Settings, encoding: TableEncoding): number {
  const { layers, hidden, batch, bidirectional, dim } = settings;
  const [first] = encoding.inputs;
  const directions = bidirectional ? 2 : 1;
  const [inputs, vocabSize] = first?.kind === 'text' ? [dim, first.vocabularySize] : [encodedWidth(encoding), 0];
  const { gates, apart = [], memory = [] } = findCell(cell).about;
  const columns = gates.length + apart.length + 2 + memory.length;
  const weights = gates.length * hidden * directions * (inputs + layers * hidden + (layers - 1) * hidden * directions);
  const steps = batch * (encoding.sequence?.longest ?? 1);
  // Going back there is a gradient beside each.
  return 4 * (4 * (weights + vocabSize * dim) + 2 * steps * (inputs + layers * directions * columns * hidden));
}

export const [rnnType, lstmType, gruType] = [sequenceType('rnn'), sequenceType('lstm'), sequenceType('gru')];
