import { catalogue } from '../activations/catalogue.js';
import type { Gate } from '../activations/kinds.js';
import { relu, relu2 } from '../activations/rectified.js';
import { solu } from '../activations/rows.js';
import { gelu, silu } from '../activations/smooth.js';
import { SluiceError } from '../base/errors.js';
import type { Device } from '../devices/device.js';
import type { BlockFormula } from '../layers/feed-forward.js';
import { type BlockCost, type BlockShape, type BlockTime, blockCost, blockTime } from './block-costs.js';

/** What blocks are made equal in. */
export const equalities = ['parameters', 'compute'] as const;
export type Equality = (typeof equalities)[number];

export interface BlockComparison {
  readonly dim: number;
  /** Of the classic block with ReLU that the others are made equal to. */
  readonly hidden: number;
  /** Widths are rounded to a multiple of this. */
  readonly multipleOf: number;
  readonly formulas: readonly BlockFormula[];
  /** How many tokens go through a block at a time where it is timed; 0 for no times. */
  readonly tokens: number;
  readonly repetitions: number;
}

/** A block of that width. */
export interface SizedBlock extends BlockCost {
  readonly hidden: number;
  /** Undefined where nothing is timed. */
  readonly microseconds: BlockTime | undefined;
}

export interface ComparedBlock {
  readonly name: string;
  readonly kind: BlockFormula['kind'];
  readonly equal: Readonly<Record<Equality, SizedBlock>>;
}

/** The measure of a block that an equality holds fixed. */
const measures: Readonly<Record<Equality, (cost: BlockCost) => number>> = {
  parameters: ({ parameters }) => parameters,
  compute: ({ forward, backward }) => forward.flops + backward.flops,
};

const plain = [relu, relu2, gelu, silu];
const gates = (): Gate[] => catalogue().filter((formula): formula is Gate => formula.kind === 'gate');

/** The blocks in use: the classic one with the activations of well-known models, every gate, and SoLU. */
export const usualBlocks = (): readonly BlockFormula[] => [
  ...plain,
  ...gates().sort((a, b) => (a.name < b.name ? -1 : 1)),
  solu,
];

/**
 * Sets blocks side by side, each at the width where it has as many parameters as the classic block, and at the width
 * where it computes as much, forward and backward.
 * @param onProgress hears of each block before it is looked at
 * @throws SluiceError `argument` where a block would have no width left
 */
export async function compareBlocks(
  device: Device,
  comparison: BlockComparison,
  onProgress: (done: number, total: number, name: string) => void = () => {},
): Promise<ComparedBlock[]> {
  const { dim, hidden, formulas } = comparison;
  const budget = await blockCost(device, relu, { dim, hidden });
  const blocks: ComparedBlock[] = [];
  for (const formula of formulas) {
    const { name, kind } = formula;
    onProgress(blocks.length, formulas.length, name);
    const width = await widths(device, formula, comparison, budget);
    const parameters = await sizedBlock(device, formula, { dim, hidden: width.parameters }, comparison);
    const compute =
      width.compute === width.parameters
        ? parameters
        : await sizedBlock(device, formula, { dim, hidden: width.compute }, comparison);
    blocks.push({ name, kind, equal: { parameters, compute } });
  }
  return blocks;
}

/** Costs grow by the same amount with each hidden unit: two narrow blocks tell the width for any. */
async function widths(
  device: Device,
  formula: BlockFormula,
  { dim, multipleOf }: BlockComparison,
  budget: BlockCost,
): Promise<Record<Equality, number>> {
  const [narrow, wide] = [8, 24];
  const least = await blockCost(device, formula, { dim, hidden: narrow });
  const wider = await blockCost(device, formula, { dim, hidden: wide });
  const widthOf = (equality: Equality): number => {
    const measure = measures[equality];
    const perUnit = (measure(wider) - measure(least)) / (wide - narrow);
    const exact = narrow + (measure(budget) - measure(least)) / perUnit;
    const width = multipleOf * Math.round(exact / multipleOf);
    if (width > 0) return width;
    throw new SluiceError('argument', {
      rule: `the block with ${formula.name} has a hidden unit at least`,
      received: `${exact.toFixed(1)} of them in multiples of ${multipleOf}`,
      remedy: 'Choose a wider --hidden or a smaller --multiple-of.',
    });
  };
  return { parameters: widthOf('parameters'), compute: widthOf('compute') };
}

async function sizedBlock(
  device: Device,
  formula: BlockFormula,
  shape: BlockShape,
  { tokens, repetitions }: BlockComparison,
): Promise<SizedBlock> {
  const cost = await blockCost(device, formula, shape);
  const microseconds = tokens === 0 ? undefined : await blockTime(device, formula, shape, { tokens, repetitions });
  return { hidden: shape.hidden, ...cost, microseconds };
}
