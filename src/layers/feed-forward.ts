import type { Activation, Gate, RowFunction } from '../activations/kinds.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import { internal, type Tensor } from '../tensor/index.js';
import { dropout } from './dropout.js';
import { FormulaLayer, RowFormulaLayer } from './formula-layer.js';
import type { Initializer } from './initialization.js';
import { Layer } from './layer.js';
import { Linear, Projections } from './linear.js';
import type { Mode } from './mode.js';
import { LayerNorm } from './normalization.js';
import { requireWidth } from './shapes.js';

/** Which projections of a plain block have a bias. */
export interface BlockBias {
  readonly up?: boolean;
  readonly down?: boolean;
}

/** Which projections of a gated block have a bias. */
export interface GatedBlockBias extends BlockBias {
  readonly gate?: boolean;
}

export interface FeedForwardOptions<Bias extends BlockBias = BlockBias> {
  /** All projections, none (the default), or each for itself. */
  readonly bias?: boolean | Bias;
  readonly dropout?: number;
  readonly deviation?: number;
  /** Of the projection that writes to the residual stream. */
  readonly outputDeviation?: number;
  /** A value of each learned parameter for every channel instead of one for all. */
  readonly perChannel?: boolean;
}

export type GatedFeedForwardOptions = FeedForwardOptions<GatedBlockBias>;

const blockDefaults = {
  bias: false,
  dropout: 0,
  deviation: 0.02,
  outputDeviation: undefined,
  perChannel: false,
} satisfies OptionTable<FeedForwardOptions>;

const noBias = { up: false, down: false } satisfies OptionTable<BlockBias>;
const noGatedBias = { gate: false, ...noBias } satisfies OptionTable<GatedBlockBias>;

/** down(activation(up x)): the classic block. Names as in Arcee's checkpoints. */
export class FeedForward extends Layer {
  readonly upProj: Linear;
  readonly downProj: Linear;
  readonly actFn: FormulaLayer;
  readonly #dropout: number;

  constructor(
    init: Initializer,
    dim: number,
    hidden: number,
    activation: Activation,
    options: FeedForwardOptions = {},
  ) {
    super();
    const { bias, deviation, perChannel, ...rest } = completeOptions('FeedForward', options, blockDefaults);
    const { outputDeviation = deviation, dropout } = rest;
    const biased =
      typeof bias === 'boolean' ? { up: bias, down: bias } : completeOptions('the bias of FeedForward', bias, noBias);
    this.upProj = new Linear(init, dim, hidden, { bias: biased.up, deviation });
    this.downProj = new Linear(init, hidden, dim, { bias: biased.down, deviation: outputDeviation });
    this.actFn = new FormulaLayer(init, activation, perChannel ? hidden : 1);
    this.#dropout = dropout;
  }

  forward(x: Tensor, mode: Mode): Tensor {
    requireWidth('a feed-forward block', this.upProj.weight, x);
    return internal(() => {
      const hidden = this.actFn.forward(mode, this.upProj.forward(x));
      return dropout(this.downProj.forward(hidden), this.#dropout, mode);
    });
  }
}

/** down(gate(gate x, up x)): the gated block. Source: Shazeer 2020, arXiv:2002.05202. Names as in LLaMA's checkpoints. */
export class GatedFeedForward extends Layer {
  readonly gateProj: Linear;
  readonly upProj: Linear;
  readonly downProj: Linear;
  readonly actFn: FormulaLayer;
  readonly #both: Projections;
  readonly #dropout: number;

  constructor(init: Initializer, dim: number, hidden: number, gate: Gate, options: GatedFeedForwardOptions = {}) {
    super();
    const { bias, deviation, perChannel, ...rest } = completeOptions('GatedFeedForward', options, blockDefaults);
    const { outputDeviation = deviation, dropout } = rest;
    const biased =
      typeof bias === 'boolean'
        ? { gate: bias, up: bias, down: bias }
        : completeOptions('the bias of GatedFeedForward', bias, noGatedBias);
    this.gateProj = new Linear(init, dim, hidden, { bias: biased.gate, deviation });
    this.upProj = new Linear(init, dim, hidden, { bias: biased.up, deviation });
    this.downProj = new Linear(init, hidden, dim, { bias: biased.down, deviation: outputDeviation });
    this.#both = new Projections([this.gateProj, this.upProj]);
    this.actFn = new FormulaLayer(init, gate, perChannel ? hidden : 1);
    this.#dropout = dropout;
  }

  forward(x: Tensor, mode: Mode): Tensor {
    requireWidth('a gated feed-forward block', this.gateProj.weight, x);
    return internal(() => {
      const hidden = this.actFn.forward(mode, ...this.#both.forward(x));
      return dropout(this.downProj.forward(hidden), this.#dropout, mode);
    });
  }
}

/**
 * down(norm(row(up x))): a row function weighs each hidden unit against all others of its token, and a LayerNorm brings
 * the result back to size. With `solu` it is the block of Elhage 2022, transformer-circuits.pub/2022/solu.
 */
export class RowFeedForward extends Layer {
  readonly upProj: Linear;
  readonly norm: LayerNorm;
  readonly downProj: Linear;
  readonly #row: RowFormulaLayer;
  readonly #dropout: number;

  constructor(init: Initializer, dim: number, hidden: number, row: RowFunction, options: FeedForwardOptions = {}) {
    super();
    const { bias, deviation, ...rest } = completeOptions('RowFeedForward', options, blockDefaults);
    const { outputDeviation = deviation, dropout } = rest;
    const biased =
      typeof bias === 'boolean'
        ? { up: bias, down: bias }
        : completeOptions('the bias of RowFeedForward', bias, noBias);
    this.upProj = new Linear(init, dim, hidden, { bias: biased.up, deviation });
    this.#row = new RowFormulaLayer(row);
    this.norm = new LayerNorm(init, hidden);
    this.downProj = new Linear(init, hidden, dim, { bias: biased.down, deviation: outputDeviation });
    this.#dropout = dropout;
  }

  forward(x: Tensor, mode: Mode): Tensor {
    requireWidth('a feed-forward block', this.upProj.weight, x);
    return internal(() => {
      const hidden = this.norm.forward(this.#row.forward(this.upProj.forward(x)));
      return dropout(this.downProj.forward(hidden), this.#dropout, mode);
    });
  }
}

/** What a block is made of: its kind says which block. */
export type BlockFormula = Activation | Gate | RowFunction;

/** Any of the blocks. */
export type Block = FeedForward | GatedFeedForward | RowFeedForward;

/** The block of a formula: gated for a gate, with a norm inside for a row function, else the classic one. */
export function blockOf(
  init: Initializer,
  dim: number,
  hidden: number,
  formula: BlockFormula,
  options: FeedForwardOptions = {},
): Block {
  if (formula.kind === 'gate') return new GatedFeedForward(init, dim, hidden, formula, options);
  return formula.kind === 'row'
    ? new RowFeedForward(init, dim, hidden, formula, options)
    : new FeedForward(init, dim, hidden, formula, options);
}
