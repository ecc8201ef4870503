import { resolveActivation } from '../../activations/catalogue.js';
import { type CellName, findCell } from '../../activations/cells.js';
import type { Activation } from '../../activations/kinds.js';
import { sigmoid } from '../../activations/saturating.js';
import { plural } from '../../base/plural.js';
import { countOf } from '../../formats/hugging-face/config-values.js';
import { Initializer } from '../../layers/initialization.js';
import { RecurrentLanguageModel } from '../../models/recurrent-language-model.js';
import type { ModelSummary } from '../../models/summary.js';
import { activationOf } from '../model.js';
import { stated } from '../presets.js';
import { defaults, type Settings } from '../settings.js';
import type { CausalDesign, CausalModelType } from './causal-model-type.js';

/** What recurrent models of text take where nothing else is said: fewer, wider layers than others. */
const recurrentDefaults = { dim: 256, layers: 2, context: 64, batch: 32, lr: 3e-3, weightDecay: 0.01 };

interface Shape extends Pick<Settings, 'dim' | 'hidden' | 'layers' | 'context' | 'dropout' | 'forgetBias'> {
  readonly cell: CellName;
  readonly vocabSize: number;
  readonly activation: Activation;
  readonly gateActivation: Activation;
}

/** Its name in config.json: a type that Transformers lacks. */
const modelTypeOf = (cell: CellName): string => `sluice_${cell}`;

/** A recurrent language model of one kind of cell. */
export const recurrentType = (cell: CellName): CausalModelType => {
  const hasGates = 'gate' in findCell(cell).about.activations;
  const gateSettings = hasGates ? (['gateActivation'] as const) : [];
  return {
    modelTypes: [modelTypeOf(cell)],
    settings: ['hidden', 'activation', 'param', ...gateSettings, ...(cell === 'lstm' ? (['forgetBias'] as const) : [])],
    complete: (given) => {
      const settings = { ...defaults, ...recurrentDefaults, ...stated(given), data: given.data };
      const { hidden = settings.dim, minLr = settings.lr / 10 } = given;
      const forget = cell === 'lstm' ? { forgetBias: given.forgetBias ?? 1 } : {};
      return { ...settings, ...forget, hidden, minLr, kvHeads: settings.heads };
    },
    design: (settings, vocabSize) =>
      designOf({
        ...settings,
        ...{ cell, vocabSize },
        activation: activationOf(settings, 'tanh'),
        gateActivation: gateOf(settings),
      }),
    decode: (json, formula, settings) =>
      designOf({
        ...{ cell, activation: formula as Activation, gateActivation: gateOf(settings) },
        vocabSize: countOf(json, 'vocab_size'),
        dim: countOf(json, 'embedding_size'),
        hidden: countOf(json, 'hidden_size'),
        layers: countOf(json, 'num_hidden_layers'),
        context: countOf(json, 'max_position_embeddings'),
        dropout: settings.dropout,
        forgetBias: settings.forgetBias,
      }),
  };
};

/** The activation of the gates. */
export const gateOf = ({ gateActivation }: Settings): Activation =>
  gateActivation === undefined ? sigmoid : resolveActivation(gateActivation);

/** The roles that a cell has, each with its activation. */
export function activationsOf(cell: CellName, activation: Activation, gate: Activation): Record<string, Activation> {
  const roles = Object.keys(findCell(cell).about.activations);
  return Object.fromEntries(roles.map((role) => [role, role === 'gate' ? gate : activation]));
}

function designOf(shape: Shape): CausalDesign {
  const { cell, vocabSize, dim, hidden, layers, dropout, context, activation, forgetBias } = shape;
  return {
    ...{ vocabSize, context, formula: activation, summary: summarize(shape) },
    description: [cell.toUpperCase(), `${plural(layers, 'layer')} of ${hidden}, ${activation.name}`],
    trainingBytes: (size, tokens) => trainingBytes({ ...shape, vocabSize: size }, tokens),
    build: (device: Parameters<CausalDesign['build']>[0], seed) => {
      const activations = activationsOf(cell, activation, shape.gateActivation);
      const options = { cell, vocabSize, dim, hidden, layers, dropout, activations, forgetBias };
      return new RecurrentLanguageModel(new Initializer(device, seed), options);
    },
    encode: (endOfText) => ({
      architectures: [`Sluice${cell.toUpperCase()}`],
      model_type: modelTypeOf(cell),
      vocab_size: vocabSize,
      embedding_size: dim,
      hidden_size: hidden,
      num_hidden_layers: layers,
      hidden_act: `sluice:${activation.name}`,
      max_position_embeddings: context,
      eos_token_id: endOfText ?? null,
      dtype: 'float32',
    }),
  };
}

function summarize({ cell, vocabSize, dim, hidden, layers }: Shape): ModelSummary {
  const rows = findCell(cell).about.gates.length * hidden;
  const products = rows * (dim + hidden) + (layers - 1) * rows * 2 * hidden + vocabSize * hidden;
  return {
    parameters: products + layers * 2 * rows + vocabSize + vocabSize * dim,
    productParameters: products,
    trainingFlopsPerToken: 6 * products,
    generationFlopsPerToken: 2 * products,
  };
}

/** What products pack their operands into. */
const workspaceBytes = 16 * 2 ** 20;

/** Bytes of weights, gradients and two moments, and of what back-propagation through the window's steps needs. */
function trainingBytes(shape: Shape, tokens: number): number {
  const { cell, dim, hidden, layers, dropout, vocabSize } = shape;
  const { gates, apart = [], memory = [] } = findCell(cell).about;
  const columns = gates.length + apart.length;
  const dropped = dropout > 0 ? 2 * hidden : 0;
  const token = layers * ((columns + 2 + memory.length) * hidden + dropped) + 3 * dim + hidden + dropped + vocabSize;
  const activations = 4 * tokens * token;
  return 16 * summarize(shape).parameters + activations + Math.min(activations, workspaceBytes);
}
