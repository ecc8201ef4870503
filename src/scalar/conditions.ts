import { constant, type Expression } from './expression.js';
import { fromSum, toSum } from './sums.js';

/** left < right */
export interface Condition {
  readonly left: Expression;
  readonly right: Expression;
}

/**
 * The same condition with a constant alone on one side: x + 3 < 6 as x < 3, max(x, 0) < 6 as x < 6. Rounding the sum
 * would move the place where it changes. Gives `undefined` where there is nothing to take away, `false` where no number
 * (and no NaN) holds it.
 */
export function plainCondition({ left, right }: Condition): Condition | false | undefined {
  if (right.value !== undefined) return isolate(left, right.value, (x, bound) => ({ left: x, right: bound }), 'max');
  if (left.value !== undefined) return isolate(right, left.value, (x, bound) => ({ left: bound, right: x }), 'min');
  return undefined;
}

/** `inner` is the bound that changes nothing while it is on the side of `limit` that holds. */
function isolate(
  side: Expression,
  limit: number,
  compare: (x: Expression, bound: Expression) => Condition,
  inner: 'min' | 'max',
): Condition | false | undefined {
  const { node } = side;
  if (node.kind !== 'apply') return undefined;
  const holds = (bound: number): boolean => (inner === 'max' ? bound < limit : limit < bound);
  if (node.primitive === 'min' || node.primitive === 'max') {
    const bound = node.operands.find(({ value }) => value !== undefined)?.value;
    const x = node.operands.find(({ value }) => value === undefined);
    if (bound === undefined || x === undefined) return undefined;
    if (node.primitive === inner) return holds(bound) ? compare(x, constant(limit)) : false;
    return holds(bound) ? undefined : compare(x, constant(limit)); // the other answer would hold for NaN, too
  }
  const { constant: offset, terms } = toSum(side);
  const moved = limit - offset;
  const isExact = Math.fround(moved) === moved && moved + offset === limit;
  const [term, ...others] = terms;
  if (offset === 0 || !isExact || term?.[1] !== 1 || others.length > 0) return undefined;
  return compare(fromSum({ constant: 0, terms }), constant(moved));
}
