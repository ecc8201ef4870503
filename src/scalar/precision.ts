/**
 * Whether float32 arithmetic is enough for an expression: a bound on its error in ULP, by rounding errors that add up.
 * It is infinite where digits may cancel, an intermediate may overflow, or a function's argument is rounded.
 */
import { type Expression, reachable } from './expression.js';
import { type Primitive, primitives } from './primitives.js';

/** The largest float32: its negative moves nothing but an infinity. */
export const largest = 2 ** 128 - 2 ** 104;
/** What the accuracy contract allows, less a margin. */
export const float32Tolerance = 3.9;
/** What one rounding adds: half an ULP of its own result may be a whole one of the last. */
const rounding = 0.7;

interface Fact {
  /** In ULP; 0 for a value that float32 holds exactly. */
  readonly error: number;
  readonly sign: 'positive' | 'any';
  /** Its largest size as a power of two. Above 128 the value may be an infinity where the exact one is finite. */
  readonly reach: number;
  /** It may have lost digits below the normal numbers, or vanished. */
  readonly faint: boolean;
}

const infinite = Number.POSITIVE_INFINITY;
const unknown: Fact = { error: infinite, sign: 'any', reach: infinite, faint: true };
const overflows = ({ reach }: Fact): boolean => reach > 128;

/** The bound for the worst of the outputs; exact for `input`s. */
export function float32Error(outputs: readonly Expression[]): number {
  const facts = new Map<Expression, Fact>();
  for (const expression of reachable(outputs)) facts.set(expression, factOf(expression, facts));
  return Math.max(0, ...outputs.map((output) => facts.get(output)?.error ?? infinite));
}

function factOf(expression: Expression, facts: ReadonlyMap<Expression, Fact>): Fact {
  const { node } = expression;
  const operands = expression.operands.map((operand) => facts.get(operand) ?? unknown);
  if (node.kind === 'variable') return { error: 0, sign: 'any', reach: 128, faint: false };
  if (node.kind === 'constant') return constantFact(node.value);
  if (node.kind === 'reduce') return node.reduction === 'maximum' && operands[0]?.error === 0 ? operands[0] : unknown;
  return (rules[node.primitive] ?? special(node.primitive))(operands, node.operands);
}

/** A large constant counts as an infinity: it would make digits visible that a faint factor has lost. */
function constantFact(value: number): Fact {
  const exact = Object.is(Math.fround(value), value) || Number.isNaN(value);
  const size = Math.abs(value);
  if (!exact && (size < 2 ** -126 || size > 3.4e38)) return unknown;
  const reach = size < 2 ** 16 ? Math.log2(Math.max(size, 2 ** -126)) : infinite;
  return { error: exact ? 0 : rounding / 2, sign: value >= 0 ? 'positive' : 'any', reach, faint: false };
}

const sizeOf = ({ value }: Expression): number => Math.abs(value ?? 0);
/** A constant that moves nothing near overflow or the subnormal numbers. */
const isModerate = (operand: Expression): boolean => sizeOf(operand) > 1 / 16 && sizeOf(operand) < 16;
/** 2 x stays exact; x / 2 does not where it becomes subnormal. */
const doubles = (operand: Expression): boolean => [1, 2, 4].includes(sizeOf(operand));

type Rule = (facts: readonly Fact[], operands: readonly Expression[]) => Fact;

const worst = (facts: readonly Fact[]): number => Math.max(...facts.map(({ error }) => error));
const isExact = (facts: readonly Fact[]): boolean => worst(facts) === 0;
const isFaint = (facts: readonly Fact[]): boolean => facts.some(({ faint }) => faint);
const allPositive = (facts: readonly Fact[]): Fact['sign'] =>
  facts.every(({ sign }) => sign === 'positive') ? 'positive' : 'any';
const largestReach = (facts: readonly Fact[]): number => Math.max(...facts.map(({ reach }) => reach));

/** One of the operands, perhaps with another sign. */
const chooses: Rule = (facts) => ({
  error: worst(facts),
  sign: allPositive(facts),
  reach: largestReach(facts),
  faint: isFaint(facts),
});

/** What is too small to move the largest float32 cannot make it overflow. */
function reachOfSum(facts: readonly Fact[]): number {
  const reach = largestReach(facts);
  return reach === 128 && facts.filter((fact) => fact.reach > 100).length === 1 ? reach : reach + 1;
}

/** Sums of exact values are rounded once, and not at all below the normal numbers. */
const exactSum: Rule = (facts) =>
  isExact(facts) && !facts.some(overflows)
    ? { error: rounding, sign: allPositive(facts), reach: reachOfSum(facts), faint: false }
    : unknown;

/** Sums of rounded values may cancel unless both are positive. */
const sums: Rule = (facts, operands) => {
  if (isExact(facts)) return exactSum(facts, operands);
  if (allPositive(facts) === 'any') return unknown;
  const faint = isFaint(facts) && !operands.some(({ value }) => value !== undefined && value > 2 ** -100);
  return { error: worst(facts) + rounding, sign: 'positive', reach: reachOfSum(facts), faint };
};

/** Only factors of at least 1 keep an overflow what it is. */
const products: Rule = (facts, operands) => {
  const error = facts.reduce((sum, fact) => sum + fact.error, 0);
  const reach = facts.reduce((sum, fact) => sum + fact.reach, 0);
  const sign = allPositive(facts);
  if (operands.some(doubles)) return { error, sign, reach, faint: isFaint(facts) };
  const grows = operands.some((operand) => isModerate(operand) && sizeOf(operand) >= 1);
  const fits = isExact(facts) || operands.some(isModerate) || facts.some((fact) => fact.reach <= 0);
  return grows || (fits && !facts.some(overflows)) ? { error: error + rounding, sign, reach, faint: true } : unknown;
};

const quotients: Rule = (facts, [, divisor]) => {
  const [a = unknown, b = unknown] = facts;
  const isAccurate = a.error === 0 || !a.faint;
  const isSafe = b.error === 0 || (b.sign === 'positive' && !b.faint);
  const vanishes = overflows(b) && a.reach <= 0; // 1 / infinity is 0, and what it stands for is below 2^-128
  if (!isAccurate || !isSafe || overflows(a) || (overflows(b) && !vanishes)) return unknown;
  const reach = divisor?.value === undefined ? infinite : a.reach - b.reach;
  return { error: a.error + b.error + rounding, sign: allPositive(facts), reach, faint: true };
};

const rules: Partial<Record<Primitive, Rule>> = {
  neg: ([x = unknown]) => ({ ...x, sign: 'any' }),
  abs: ([x = unknown]) => ({ ...x, sign: 'positive' }),
  min: (facts, operands) =>
    allPositive(facts) === 'positive'
      ? { ...chooses(facts, operands), reach: Math.min(...facts.map(({ reach }) => reach)) }
      : chooses(facts, operands),
  max: (facts, operands) => ({
    ...chooses(
      facts.filter((_, i) => operands[i]?.value !== -largest),
      [],
    ),
    sign: facts.some(({ sign }) => sign === 'positive') ? 'positive' : 'any',
  }),
  select: ([a = unknown, b = unknown, ...branches]) => (isExact([a, b]) ? chooses(branches, []) : unknown),
  carryNan: ([, y = unknown]) => y,
  add: sums,
  sub: exactSum,
  mul: products,
  div: quotients,
  sqrt: ([x = unknown]) =>
    x.faint || overflows(x)
      ? unknown
      : { error: x.error / 2 + rounding, sign: 'positive', reach: x.reach / 2, faint: false },
};

/** A function of an exact argument, where it has an expansion for float32. */
const special =
  (primitive: Primitive): Rule =>
  ([x = unknown, ...more]) => {
    const { lanes } = primitives[primitive];
    const short = 'expand' in lanes ? lanes.short : undefined;
    if (short === undefined || more.length > 0 || x.error > 0) return unknown;
    const { ulp: error, range } = short;
    const isUnit = range === 'unit' || range === 'signedUnit';
    const sign = range === 'unit' || range === 'positive' ? 'positive' : 'any';
    return { error, sign, reach: isUnit ? 0 : infinite, faint: error > 0 };
  };
