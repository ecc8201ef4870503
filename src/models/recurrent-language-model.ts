/**
 * A recurrent language model: an embedding, layers of a cell, and the logits of the next token. It reads a text of any
 * length in order, and its state is all that it knows of what came before. Source: Mikolov 2010; Zaremba 2014,
 * arXiv:1409.2329.
 *
 * - the weights are those of a PyTorch module with `embedding`, `recurrent` (nn.RNN, nn.LSTM or nn.GRU) and `head`
 * - training carries the state from window to window, and gradients end at a window's start
 */
import { type CellName, findCell } from '../activations/cells.js';
import type { Activation } from '../activations/kinds.js';
import { checkOptions, completeOptions, type OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { dropout } from '../layers/dropout.js';
import { Embedding } from '../layers/embedding.js';
import { Initializer } from '../layers/initialization.js';
import { Layer } from '../layers/layer.js';
import { Linear } from '../layers/linear.js';
import type { Mode } from '../layers/mode.js';
import { Recurrent } from '../layers/recurrent.js';
import { RecurrentCache } from '../layers/recurrent-cache.js';
import { requireAxes } from '../layers/shapes.js';
import { internal, type Tensor } from '../tensor/index.js';
import type { CausalModel, TokenCache } from './causal-model.js';

export interface RecurrentLanguageModelOptions {
  /** `lstm` by default. */
  readonly cell?: CellName;
  readonly vocabSize: number;
  /** The width of a token's vector; as `hidden` by default. */
  readonly dim?: number | undefined;
  readonly hidden: number;
  /** 1 by default. */
  readonly layers?: number;
  /** The probability that an element of a vector or an output is dropped in training; 0 by default. */
  readonly dropout?: number;
  /** Activations of the cell by their roles. */
  readonly activations?: Readonly<Record<string, Activation>>;
  /** As of `Recurrent`. */
  readonly forgetBias?: number | undefined;
}

const modelDefaults = {
  cell: 'lstm',
  vocabSize: undefined,
  dim: undefined,
  hidden: undefined,
  layers: 1,
  dropout: 0,
  activations: {},
  forgetBias: undefined,
} satisfies OptionTable<RecurrentLanguageModelOptions>;

export class RecurrentLanguageModel extends Layer implements CausalModel {
  readonly embedding: Embedding;
  readonly recurrent: Recurrent;
  readonly head: Linear;
  readonly vocabSize: number;
  readonly maxPositions = Number.POSITIVE_INFINITY;
  readonly carries = true;
  readonly #device: Device;
  readonly #dropout: number;

  constructor(init: Initializer, options: RecurrentLanguageModelOptions) {
    super();
    const config = completeOptions('RecurrentLanguageModel', options, modelDefaults);
    const { cell, vocabSize, hidden, dim = hidden, layers, activations, forgetBias } = config;
    this.vocabSize = vocabSize;
    this.#device = init.device;
    this.#dropout = config.dropout;
    this.embedding = new Embedding(init, vocabSize, dim, 0.1);
    const inside = { layers, dropout: config.dropout, activations, forgetBias };
    this.recurrent = new Recurrent(init, findCell(cell), dim, hidden, inside);
    this.head = new Linear(init, hidden, vocabSize, { bias: true, deviation: 1 / Math.sqrt(hidden) });
  }

  forward(tokens: Tensor, mode: Mode, caches?: readonly TokenCache[]): Tensor {
    requireAxes('a recurrent language model', { batch: undefined, time: undefined }, tokens);
    const [cache] = caches ?? [];
    const memory = cache instanceof RecurrentCache ? cache : undefined;
    return internal(() => {
      // Step by step in memory, as the layers want it.
      const vectors = this.embedding.forward(tokens.transpose(0, 1)).transpose(0, 1);
      const x = dropout(vectors, this.#dropout, mode);
      const { output, states } = this.recurrent.forward(x, mode, { states: memory?.states });
      memory?.update(states, tokens.shape[1] ?? 0);
      return this.head.forward(dropout(output, this.#dropout, mode));
    });
  }

  makeCaches(batch: number): RecurrentCache[] {
    return [new RecurrentCache(this.#device, this.recurrent, batch)];
  }
}

/**
 * A new model with random weights that depend on the seed (0 by default) alone.
 * @example const model = recurrentLanguageModel(device, { cell: 'lstm', vocabSize: 65, hidden: 128, layers: 2 });
 */
export function recurrentLanguageModel(
  device: Device,
  options: RecurrentLanguageModelOptions & { readonly seed?: number },
): RecurrentLanguageModel {
  checkOptions('recurrentLanguageModel', options, { ...modelDefaults, seed: 0 });
  const { seed = 0, ...shape } = options;
  return new RecurrentLanguageModel(new Initializer(device, seed), shape);
}
