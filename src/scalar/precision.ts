/**
 * Whether float32 arithmetic is enough for an expression: a bound on its error in ULP, by rounding errors that add up.
 * It is infinite where digits may cancel, an intermediate may overflow, or a function's argument is rounded.
 */
import { type Expression, reachable } from './expression.js';
import { type Primitive, primitives } from './primitives.js';

/** What the accuracy contract allows, less a margin. */
export const float32Tolerance = 3.9;
/** What one rounding adds: half an ULP of its own result may be a whole one of the last. */
const rounding = 0.7;

interface Fact {
  /** In ULP; 0 for a value that float32 holds exactly. */
  readonly error: number;
  readonly sign: 'positive' | 'any';
  /** At most 1 in size. */
  readonly unit: boolean;
}

const unknown: Fact = { error: Number.POSITIVE_INFINITY, sign: 'any', unit: false };

/** The bound for the worst of the outputs; exact for `input`s. */
export function float32Error(outputs: readonly Expression[]): number {
  const facts = new Map<Expression, Fact>();
  for (const expression of reachable(outputs)) facts.set(expression, factOf(expression, facts));
  return Math.max(0, ...outputs.map((output) => facts.get(output)?.error ?? Number.POSITIVE_INFINITY));
}

function factOf(expression: Expression, facts: ReadonlyMap<Expression, Fact>): Fact {
  const { node } = expression;
  const operands = expression.operands.map((operand) => facts.get(operand) ?? unknown);
  if (node.kind === 'variable') return { error: 0, sign: 'any', unit: false };
  if (node.kind === 'constant') return constantFact(node.value);
  if (node.kind === 'reduce') return node.reduction === 'maximum' && operands[0]?.error === 0 ? operands[0] : unknown;
  return (rules[node.primitive] ?? special(node.primitive))(operands, node.operands);
}

function constantFact(value: number): Fact {
  const exact = Object.is(Math.fround(value), value) || Number.isNaN(value);
  const representable = exact || Math.abs(value) < 3.4e38;
  const error = exact ? 0 : representable ? rounding / 2 : Number.POSITIVE_INFINITY;
  return { error, sign: value >= 0 ? 'positive' : 'any', unit: Math.abs(value) <= 1 };
}

/** A constant that moves nothing near overflow or the subnormal numbers. */
const isModerate = ({ value }: Expression): boolean =>
  value !== undefined && Math.abs(value) > 1 / 16 && Math.abs(value) < 16;

type Rule = (facts: readonly Fact[], operands: readonly Expression[]) => Fact;

const worst = (facts: readonly Fact[]): number => Math.max(...facts.map(({ error }) => error));
const allPositive = (facts: readonly Fact[]): Fact['sign'] =>
  facts.every(({ sign }) => sign === 'positive') ? 'positive' : 'any';
const allUnit = (facts: readonly Fact[]): boolean => facts.every(({ unit }) => unit);

/** One of the operands, perhaps with another sign. */
const chooses: Rule = (facts) => ({ error: worst(facts), sign: allPositive(facts), unit: allUnit(facts) });

/** Sums of exact values are rounded once; sums of rounded ones may cancel unless both are positive. */
const sums: Rule = (facts) => {
  const isExact = facts.every(({ error }) => error === 0);
  if (isExact) return { error: rounding, sign: allPositive(facts), unit: false };
  return allPositive(facts) === 'positive'
    ? { error: worst(facts) + rounding, sign: 'positive', unit: false }
    : unknown;
};

/** 2 x stays exact; x / 2 does not where it becomes subnormal. */
const doubles = ({ value }: Expression): boolean => value !== undefined && [1, 2, 4].includes(Math.abs(value));

const rules: Partial<Record<Primitive, Rule>> = {
  neg: ([x = unknown]) => ({ ...x, sign: 'any' }),
  abs: ([x = unknown]) => ({ ...x, sign: 'positive' }),
  min: chooses,
  max: (facts) => ({
    ...chooses(facts, []),
    sign: facts.some(({ sign }) => sign === 'positive') ? 'positive' : 'any',
  }),
  select: ([a = unknown, b = unknown, ...branches]) => (a.error + b.error === 0 ? chooses(branches, []) : unknown),
  carryNan: ([, y = unknown]) => y,
  add: sums,
  sub: (facts) => (facts.every(({ error }) => error === 0) ? { error: rounding, sign: 'any', unit: false } : unknown),
  mul: (facts, operands) => {
    const [a = unknown, b = unknown] = facts;
    const [sign, unit] = [allPositive(facts), allUnit(facts)];
    if (operands.some(doubles)) return { error: a.error + b.error, sign, unit };
    const isLast = a.error === 0 && b.error === 0;
    return a.unit || b.unit || isLast || operands.some(isModerate)
      ? { error: a.error + b.error + rounding, sign, unit }
      : unknown;
  },
  div: (facts) => {
    const [a = unknown, b = unknown] = facts;
    const fits = (a.unit || a.error === 0) && (b.error === 0 || b.sign === 'positive');
    return fits ? { error: a.error + b.error + rounding, sign: allPositive(facts), unit: false } : unknown;
  },
  sqrt: ([x = unknown]) => ({ error: x.error / 2 + rounding, sign: 'positive', unit: x.unit }),
};

/** A function of an exact argument, where it has an expansion for float32. */
const special =
  (primitive: Primitive): Rule =>
  ([x = unknown, ...more]) => {
    const { lanes } = primitives[primitive];
    const short = 'expand' in lanes ? lanes.short : undefined;
    if (short === undefined || more.length > 0 || x.error > 0) return unknown;
    return { error: short.ulp, sign: short.range === 'any' ? 'any' : 'positive', unit: short.range === 'unit' };
  };
