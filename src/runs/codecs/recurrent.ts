import * as v from 'valibot';
import { type CellName, cellNames, findCell } from '../../activations/cells.js';
import type { Activation } from '../../activations/kinds.js';
import { Recurrent } from '../../layers/recurrent.js';
import type { RecurrentOptions } from '../../layers/recurrent-options.js';
import { Forecaster, type ForecasterConfig, shortcuts } from '../../models/forecaster.js';
import {
  answerNames,
  SequenceModel,
  type SequenceModelConfig,
  sequenceModelConfig,
} from '../../models/sequence-model.js';
import { activation, modelCodec, probability, size } from './codec.js';

/** What nn.LSTM takes, by its names there, with its defaults. */
const layers = {
  cell: v.picklist(cellNames, `is ${cellNames.join(', ')}`),
  input_size: size,
  hidden_size: size,
  num_layers: v.optional(size, 1),
  bias: v.optional(v.boolean(), true),
  dropout: v.optional(probability, 0),
  bidirectional: v.optional(v.boolean(), false),
  /** 0 for none, as in PyTorch; or output units inside of the recurrence. */
  proj_size: v.optional(
    v.union(
      [v.literal(0), size, v.object({ size, bias: v.boolean(), activation: v.nullable(activation) })],
      'is a whole number from 0 on, or {size, bias, activation}',
    ),
    0,
  ),
  /** By the roles that the cell has; those that are left out are the cell's own. */
  activations: v.optional(v.record(v.string(), activation), {}),
};

export interface RecurrentConfig extends Omit<RecurrentOptions, 'forgetBias'> {
  readonly cell: CellName;
  readonly inputs: number;
  readonly hidden: number;
}

const storedOf = (activations: Readonly<Record<string, Activation>>) =>
  Object.fromEntries(Object.entries(activations).map(([role, activation]) => [role, activation.toJSON()]));

function encodeLayers({ cell, inputs, hidden, activations = {}, projection = 0, ...options }: RecurrentConfig) {
  const { layers = 1, bias = true, dropout = 0, bidirectional = false } = options;
  const units =
    typeof projection === 'number'
      ? projection
      : { size: projection.width, bias: projection.bias ?? true, activation: projection.activation?.toJSON() ?? null };
  return {
    ...{ cell, input_size: inputs, hidden_size: hidden, num_layers: layers, bias, dropout, bidirectional },
    proj_size: units,
    activations: storedOf({ ...findCell(cell).about.activations, ...activations }),
  };
}

type Layers = v.InferOutput<v.ObjectSchema<typeof layers, undefined>>;

function decodeLayers({ cell, input_size, hidden_size, num_layers, proj_size, ...rest }: Layers) {
  const { bias, dropout, bidirectional, activations } = rest;
  return {
    ...{ cell, inputs: input_size, hidden: hidden_size, layers: num_layers, bias, dropout, bidirectional, activations },
    projection: projectionOf(proj_size),
  };
}

function projectionOf(stored: Layers['proj_size']): RecurrentOptions['projection'] {
  if (typeof stored === 'number') return stored === 0 ? undefined : stored;
  const { size: width, bias, activation } = stored;
  return { width, bias, ...(activation === null ? {} : { activation }) };
}

/** Layers alone, as an nn.RNN, nn.LSTM or nn.GRU saves them. */
export const recurrentCodec = modelCodec('recurrent', 'Recurrent', layers, {
  encode: encodeLayers,
  build: (init, stored) => {
    const { cell, inputs, hidden, ...options } = decodeLayers(stored);
    return new Recurrent(init, findCell(cell), inputs, hidden, options);
  },
});

const network = {
  ...layers,
  /** Tokens that there are, where steps are tokens: `input_size` is then the width of a token's vector. */
  vocab_size: v.optional(v.nullable(size), null),
  output_size: size,
  answers: v.optional(v.picklist(answerNames, `is ${answerNames.join(', ')}`), 'last'),
};

const encodeNetwork = ({ vocabSize, outputs, answers, forgetBias: _, ...config }: SequenceModelConfig) => ({
  ...encodeLayers(config),
  ...{ vocab_size: vocabSize ?? null, output_size: outputs, answers },
});

type Network = v.InferOutput<v.ObjectSchema<typeof network, undefined>>;

const decodeNetwork = ({ vocab_size, output_size, answers, ...stored }: Network): SequenceModelConfig =>
  sequenceModelConfig({
    ...decodeLayers(stored),
    ...{ vocabSize: vocab_size ?? undefined, outputs: output_size, answers },
  });

export const sequenceCodec = modelCodec('sequence', 'SequenceModel', network, {
  encode: encodeNetwork,
  build: (init, stored) => new SequenceModel(init, decodeNetwork(stored)),
});

export const forecasterCodec = modelCodec(
  'forecaster',
  'Forecaster',
  { ...network, window: size, shortcut: v.picklist(shortcuts, `is ${shortcuts.join(', ')}`) },
  {
    encode: ({ network, window, shortcut }: ForecasterConfig) => ({ ...encodeNetwork(network), window, shortcut }),
    build: (init, { window, shortcut, ...stored }) =>
      new Forecaster(init, { network: decodeNetwork(stored), window, shortcut }),
  },
);
