import type { Activation, Formula, Gate } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import { plural } from '../../base/plural.js';
import { countOf } from '../../formats/hugging-face/config-values.js';
import { Initializer } from '../../layers/initialization.js';
import {
  GatedConvolution,
  type GatedConvolutionConfig,
  gatedConvolutionConfig,
  summarizeGatedConvolution,
} from '../../models/gated-convolution.js';
import { feedForwardOf } from '../model.js';
import { blockOr, stated } from '../presets.js';
import { defaults, type Settings } from '../settings.js';
import type { CausalDesign, CausalModelType } from './causal-model-type.js';

/** Its name in config.json: a type that Transformers lacks. */
const modelType = 'sluice_gated_conv';

export const gatedConvolutionType: CausalModelType = {
  modelTypes: [modelType],
  settings: ['kernel', 'ffn', 'activation', 'param'],
  complete: (given) => {
    const settings = { ...defaults, ...stated(given), data: given.data, ffn: blockOr('glu', given) };
    const { minLr = settings.lr / 10 } = given;
    return { ...settings, minLr, hidden: 1, kvHeads: 1 };
  },
  design: (settings, vocabSize) => {
    const { dim, layers, kernel, dropout, context } = settings;
    const gate = unitOf(settings);
    return designOf(gatedConvolutionConfig({ vocabSize, dim, layers, kernel, gate, dropout }), context);
  },
  decode: (json, formula, { dropout }) => {
    const [vocabSize, dim] = [countOf(json, 'vocab_size'), countOf(json, 'hidden_size')];
    const [layers, kernel] = [countOf(json, 'num_hidden_layers'), countOf(json, 'conv_kernel')];
    const config = gatedConvolutionConfig({ vocabSize, dim, layers, kernel, gate: blockFormula(formula), dropout });
    return designOf(config, countOf(json, 'max_position_embeddings'));
  },
};

/** @throws SluiceError `argument` for a row function: a convolution weighs tokens apart. */
function unitOf(settings: Settings): Gate | Activation {
  const formula = feedForwardOf(settings);
  if (formula.kind !== 'row') return formula;
  throw new SluiceError('argument', {
    rule: 'a gated convolution has a gate or an activation',
    received: `--ffn ${settings.ffn}`,
    remedy: 'Choose a gate, as glu, or leave --model out for a model with feed-forward blocks.',
  });
}

const blockFormula = (formula: Formula): Gate | Activation => formula as Gate | Activation;

function designOf(config: GatedConvolutionConfig, context: number): CausalDesign {
  const { vocabSize, dim, layers, kernel, gate } = config;
  const seen = layers * (kernel - 1) + 1;
  return {
    ...{ vocabSize, context, formula: gate, summary: summarizeGatedConvolution(config) },
    description: [
      'gated convolution',
      `${plural(layers, 'layer')} of ${dim}, ${gate.name} over ${plural(kernel, 'token')}, ${plural(seen, 'token')} in all`,
    ],
    trainingBytes: (size, tokens) => trainingBytes({ ...config, vocabSize: size }, tokens),
    build: (device, seed) => new GatedConvolution(new Initializer(device, seed), config),
    encode: (endOfText) => ({
      architectures: ['SluiceGatedConvolution'],
      model_type: modelType,
      vocab_size: vocabSize,
      hidden_size: dim,
      num_hidden_layers: layers,
      conv_kernel: kernel,
      hidden_act: `sluice:${gate.name}`,
      max_position_embeddings: context,
      eos_token_id: endOfText ?? null,
      dtype: 'float32',
    }),
  };
}

/** What products and windows take for themselves. */
const workspaceBytes = 16 * 2 ** 20;

/** Bytes of weights, gradients and two moments, and of what the backward pass needs. */
function trainingBytes(config: GatedConvolutionConfig, tokens: number): number {
  const { vocabSize, dim, layers, gate, dropout } = config;
  const convolved = gate.kind === 'gate' ? 2 * dim : dim;
  // Of each dropout its noise and its result.
  const dropped = dropout > 0 ? 2 * dim : 0;
  const token = layers * (3 * dim + convolved + 1 + dropped) + 2 * dim + dropped + convolved + vocabSize;
  const activations = 4 * tokens * token;
  return 16 * summarizeGatedConvolution(config).parameters + activations + Math.min(activations, workspaceBytes);
}
