import { SluiceError } from '../base/errors.js';
import { checkChoice, checkOptions } from '../base/options.js';
import type { Tensor } from '../tensor/index.js';

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
