import { SluiceError } from '../base/errors.js';
import { checkOptions, completeOptions, type OptionTable } from '../base/options.js';
import { attention, internal, type Tensor } from '../tensor/index.js';
import type { Initializer } from './initialization.js';
import type { KeyValueCache } from './key-value-cache.js';
import { Layer } from './layer.js';
import { Linear, Projections } from './linear.js';
import type { RotaryEmbedding } from './rope.js';
import { requireAxes } from './shapes.js';

/** Which projections of attention have a bias. */
export interface AttentionBias {
  readonly query?: boolean;
  readonly key?: boolean;
  readonly value?: boolean;
  readonly output?: boolean;
}

export interface AttentionOptions {
  readonly heads: number;
  /** Heads of keys and values; each serves heads / keyValueHeads query heads. */
  readonly keyValueHeads?: number;
  /** dim / heads by default. */
  readonly headDim?: number;
  readonly causal?: boolean;
  /** All projections, none (the default), or each for itself. */
  readonly bias?: boolean | AttentionBias;
  readonly deviation?: number;
  /** Of the projection that writes to the residual stream. */
  readonly outputDeviation?: number;
}

const attentionDefaults = {
  heads: undefined,
  keyValueHeads: undefined,
  headDim: undefined,
  causal: false,
  bias: false,
  deviation: 0.02,
  outputDeviation: undefined,
} satisfies OptionTable<AttentionOptions>;

const noBias = { query: false, key: false, value: false, output: false } satisfies OptionTable<AttentionBias>;

/** What a forward pass of attention may take beside its input. */
export interface AttentionInputs {
  /** What keys and values are made of; the input itself by default. */
  readonly source?: Tensor;
  readonly rope?: RotaryEmbedding;
  readonly cache?: KeyValueCache;
}

const attentionInputs = { source: undefined, rope: undefined, cache: undefined } satisfies OptionTable<AttentionInputs>;

/**
 * Multi-head attention with grouped key/value heads. Source: Vaswani 2017, arXiv:1706.03762; Ainslie 2023,
 * arXiv:2305.13245. Nothing of size length x length is kept. Names as in LLaMA's checkpoints.
 */
export class Attention extends Layer {
  readonly qProj: Linear;
  readonly kProj: Linear;
  readonly vProj: Linear;
  readonly oProj: Linear;
  readonly #dim: number;
  readonly #all: Projections;
  readonly #headDim: number;
  readonly #causal: boolean;

  constructor(init: Initializer, dim: number, options: AttentionOptions) {
    super();
    const { heads, causal, bias, deviation, ...rest } = completeOptions('Attention', options, attentionDefaults);
    const { keyValueHeads = heads, headDim = dim / heads, outputDeviation = deviation } = rest;
    if (!Number.isInteger(headDim)) {
      throw new SluiceError('argument', {
        rule: `the number of heads divides the width ${dim}`,
        received: heads,
        remedy: 'Choose another number of heads, or give headDim.',
      });
    }
    if (heads % keyValueHeads !== 0) {
      throw new SluiceError('argument', {
        rule: `the number of key/value heads divides the number of heads ${heads}`,
        received: keyValueHeads,
        remedy: 'Leave it out for one for each head.',
      });
    }
    const { query, key, value, output } =
      typeof bias === 'boolean'
        ? { query: bias, key: bias, value: bias, output: bias }
        : completeOptions('the bias of Attention', bias, noBias);
    this.qProj = new Linear(init, dim, heads * headDim, { bias: query, deviation });
    this.kProj = new Linear(init, dim, keyValueHeads * headDim, { bias: key, deviation });
    this.vProj = new Linear(init, dim, keyValueHeads * headDim, { bias: value, deviation });
    this.#all = new Projections([this.qProj, this.kProj, this.vProj]);
    this.oProj = new Linear(init, heads * headDim, dim, { bias: output, deviation: outputDeviation });
    this.#dim = dim;
    this.#headDim = headDim;
    this.#causal = causal;
  }

  /** Queries from `x` [batch, time, dim]; keys and values from `source`, which is `x` itself in self-attention. */
  forward(x: Tensor, inputs: AttentionInputs = {}): Tensor {
    checkOptions('Attention.forward', inputs, attentionInputs);
    const { source = x, rope, cache } = inputs;
    requireAxes('attention', { batch: undefined, time: undefined, dim: this.#dim }, x);
    const [batch = 0, time = 0] = x.shape;
    requireAxes('attention over a source', { batch, time: undefined, dim: this.#dim }, source);
    const start = cache?.length ?? 0;
    return internal(() => {
      let { query, key, value } =
        source === x && this.#all.areJoined ? this.#together(x, start, rope) : this.#apart(x, source, start, rope);
      if (cache !== undefined) ({ key, value } = cache.append(key, value));
      const mixed = attention(query, key, value, { causal: this.#causal });
      return this.oProj.forward(mixed.reshape([batch, time, -1]));
    });
  }

  /** In one product, of which views are taken. */
  #together(x: Tensor, start: number, rope: RotaryEmbedding | undefined): Projected {
    const projected = heads(this.#all.joined(x), this.#headDim);
    const [queries, keys] = [this.qProj, this.kProj].map(({ weight }) => (weight.shape[0] ?? 0) / this.#headDim);
    const [query = 0, pair = 0] = [queries, (queries ?? 0) + (keys ?? 0)];
    const all = rope?.turn(projected, pair, start) ?? projected;
    return { query: all.slice(2, 0, query), key: all.slice(2, query, pair), value: all.slice(2, pair) };
  }

  #apart(x: Tensor, source: Tensor, start: number, rope: RotaryEmbedding | undefined): Projected {
    const turned = (projected: Tensor): Tensor => {
      const states = heads(projected, this.#headDim);
      return rope?.turn(states, states.shape[2] ?? 0, start) ?? states;
    };
    const value = heads(this.vProj.forward(source), this.#headDim);
    return { query: turned(this.qProj.forward(x)), key: turned(this.kProj.forward(source)), value };
  }
}

/** [batch, time, heads, headDim] each. */
interface Projected {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}

const heads = (projected: Tensor, headDim: number): Tensor =>
  projected.reshape([...projected.shape.slice(0, -1), (projected.shape.at(-1) ?? 0) / headDim, headDim]);
