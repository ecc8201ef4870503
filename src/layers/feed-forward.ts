import type { Activation, Gate } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { checkChoice, checkOptions, completeOptions, type OptionTable } from '../base/options.js';
import { internal, type Tensor } from '../tensor/index.js';
import { dropout } from './dropout.js';
import { FormulaLayer } from './formula-layer.js';
import type { Initializer } from './initialization.js';
import { Layer } from './layer.js';
import { Linear, Projections } from './linear.js';
import type { Mode } from './mode.js';
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

const packings = { order: ['gate-first', 'value-first'], layout: ['halves', 'interleaved'] } as const;

/** How the two inputs of a gate share one tensor: which comes first, and whether in halves or alternating. */
export type Packing = { readonly [K in keyof typeof packings]: (typeof packings)[K][number] };

/**
 * The two inputs of a gate from one packed tensor [..., 2 width]. There is no default: systems differ, and the wrong
 * order loads without an error and computes nonsense.
 */
export function unpackGate(packed: Tensor, packing: Packing): { gate: Tensor; value: Tensor } {
  checkOptions('unpackGate', packing, packings);
  const { order, layout } = packing;
  checkChoice('the order of a packed gate', order, packings.order);
  checkChoice('the layout of a packed gate', layout, packings.layout);
  const width = packed.shape.at(-1) ?? 0;
  if (width % 2 !== 0) {
    throw new SluiceError('shape', {
      rule: 'a packed gate has an even last axis',
      received: packed.shape,
      remedy: 'Check that the tensor holds both the gate and the value.',
    });
  }
  const half = width / 2;
  const [first, second] =
    layout === 'halves'
      ? [packed.slice(-1, 0, half), packed.slice(-1, half, width)]
      : [0, 1].map((i) => packed.reshape([...packed.shape.slice(0, -1), half, 2]).select(-1, i));
  if (first === undefined || second === undefined) throw new SluiceError('internal', { rule: 'a gate has two halves' });
  return order === 'gate-first' ? { gate: first, value: second } : { gate: second, value: first };
}
