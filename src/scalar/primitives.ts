/**
 * The primitives: one row each holds all that is known of it. A device, a printer or a derivative reads its column;
 * a row without one of them does not compile.
 */
import * as expansions from './expansions.js';
import * as short from './expansions32.js';
import { constant, type Expression } from './expression.js';
import { laneRows } from './lane-rows.js';
import { call, cases, fraction, infix, power, prefix, wrap } from './notation.js';
import type { Row } from './row.js';
import * as special from './special.js';

const zero = constant(0);
const one = constant(1);
/** 1 where a < b, else 0. */
const indicator = (a: Expression, b: Expression | number): Expression => a.whereLess(b, one, zero);
type Unary = readonly Expression[];
const unary =
  (derive: (x: Expression, self: Expression) => Expression | number) =>
  ([x]: Unary, self: Expression): readonly (Expression | number)[] =>
    x === undefined ? [] : [derive(x, self)];
const binary =
  (derive: (a: Expression, b: Expression, self: Expression) => readonly (Expression | number)[]) =>
  ([a, b]: readonly Expression[], self: Expression): readonly (Expression | number)[] =>
    a === undefined || b === undefined ? [] : derive(a, b, self);

const arithmetic = {
  add: {
    evaluate: (a = 0, b = 0) => a + b,
    derivative: binary(() => [1, 1]),
    notation: infix('+', 1),
    written: 'operator',
    lanes: { steps: [0, 1, 'add'], c: (_, a, b) => `${a} + ${b}` },
    cost: 'operation',
  },
  sub: {
    evaluate: (a = 0, b = 0) => a - b,
    derivative: binary(() => [1, -1]),
    notation: infix('-', 1),
    written: 'operator',
    lanes: { steps: [0, 1, 'sub'], c: (_, a, b) => `${a} - ${b}` },
    cost: 'operation',
  },
  mul: {
    evaluate: (a = 0, b = 0) => a * b,
    derivative: binary((a, b) => [b, a]),
    notation: infix('*', 2, ' \\cdot '),
    written: 'operator',
    lanes: { steps: [0, 1, 'mul'], c: (_, a, b) => `${a} * ${b}` },
    cost: 'operation',
  },
  div: {
    evaluate: (a = 0, b = 0) => a / b,
    derivative: binary((a, b) => [one.div(b), a.neg().div(b.mul(b))]),
    notation: fraction,
    written: 'operator',
    lanes: { steps: [0, 1, 'div'], c: (_, a, b) => `${a} / ${b}` },
    cost: 'operation',
  },
  neg: {
    evaluate: (x = 0) => -x,
    derivative: unary(() => -1),
    notation: prefix('-'),
    written: 'operator',
    lanes: { steps: [0, 'neg'], c: (_, x) => `-${x}` },
    cost: 'operation',
  },
  abs: {
    evaluate: (x = 0) => Math.abs(x),
    derivative: unary((x) => x.sign()),
    notation: wrap('abs', '\\left|', '\\right|'),
    written: 'function',
    lanes: { steps: [0, 'abs'], c: (call, x) => call('abs', x) },
    cost: 'operation',
  },
  signum: {
    evaluate: (x = 0) => Math.sign(x),
    derivative: unary(() => 0),
    notation: call('signum', '\\operatorname{sgn}'),
    written: 'function',
    lanes: { expand: expansions.sign, short: { expand: short.sign, ulp: 0, range: 'signedUnit' } },
    cost: 'operation',
  },
  min: {
    evaluate: (a = 0, b = 0) => Math.min(a, b),
    derivative: binary((a, b) => [indicator(a, b), a.whereLess(b, 0, 1)]),
    notation: call('min', '\\min'),
    written: 'function',
    lanes: { steps: [0, 1, 'min'], c: (call, a, b) => call('min', a, b) },
    cost: 'operation',
  },
  max: {
    evaluate: (a = 0, b = 0) => Math.max(a, b),
    derivative: binary((a, b) => [indicator(b, a), b.whereLess(a, 0, 1)]),
    notation: call('max', '\\max'),
    written: 'function',
    lanes: { steps: [0, 1, 'max'], c: (call, a, b) => call('max', a, b) },
    cost: 'operation',
  },
  sqrt: {
    evaluate: (x = 0) => Math.sqrt(x),
    derivative: unary((_, self) => constant(0.5).div(self)),
    notation: wrap('sqrt', '\\sqrt{', '}'),
    written: 'function',
    lanes: { steps: [0, 'sqrt'], c: (call, x) => call('sqrt', x) },
    cost: 'special',
  },
  floor: {
    evaluate: (x = 0) => Math.floor(x),
    derivative: unary(() => 0),
    notation: wrap('floor', '\\lfloor ', ' \\rfloor'),
    written: 'function',
    lanes: { steps: [0, 'floor'], c: (call, x) => call('floor', x) },
    cost: 'operation',
  },
  round: {
    evaluate: (x = 0) => special.roundHalfEven(x),
    derivative: unary(() => 0),
    notation: call('round', '\\operatorname{round}'),
    written: 'function',
    lanes: { steps: [0, 'nearest'], c: (call, x) => call('rint', x) },
    cost: 'operation',
  },
  /** The third operand where the first is less than the second, else the fourth. */
  select: {
    evaluate: (a = 0, b = 0, then = 0, otherwise = 0) => (a < b ? then : otherwise),
    derivative: ([a, b]) => (a === undefined || b === undefined ? [] : [0, 0, indicator(a, b), a.whereLess(b, 0, 1)]),
    notation: cases,
    written: 'operator',
    lanes: {
      steps: [2, 3, 0, 1, 'lt', 'v128.bitselect'],
      c: (call, ...operands) => call('less', ...operands),
    },
    cost: 'operation',
  },
  /** The second operand, or NaN where the first is NaN: selections must not swallow one. */
  carryNan: {
    evaluate: (x = 0, y = 0) => (Number.isNaN(x) ? x : y),
    derivative: () => [0, 1],
    notation: call('carryNan', '\\operatorname{carryNan}'),
    written: 'derived',
    lanes: { steps: [1, 0, 0, 0, 'eq', 'v128.bitselect'], c: (call, x, y) => call('unordered', x, x, y) },
    cost: 'free',
  },
} as const satisfies Record<string, Row>;

const functions = {
  exp: {
    evaluate: (x = 0) => Math.exp(x),
    derivative: unary((_, self) => self),
    notation: call('exp', '\\exp'),
    written: 'function',
    lanes: { expand: expansions.exp, short: { expand: short.exp, ulp: 0.9, range: 'positive' } },
    cost: 'special',
  },
  expm1: {
    evaluate: (x = 0) => Math.expm1(x),
    derivative: unary((x) => x.exp()),
    notation: call('expm1', '\\operatorname{expm1}'),
    written: 'function',
    lanes: { expand: expansions.expm1, short: { expand: short.expm1, ulp: 1.5, range: 'any' } },
    cost: 'special',
  },
  log: {
    evaluate: (x = 0) => Math.log(x),
    derivative: unary((x) => one.div(x)),
    notation: call('log', '\\log'),
    written: 'function',
    lanes: { expand: expansions.log },
    cost: 'special',
  },
  log1p: {
    evaluate: (x = 0) => Math.log1p(x),
    derivative: unary((x) => one.div(x.add(1))),
    notation: call('log1p', '\\operatorname{log1p}'),
    written: 'function',
    lanes: { expand: expansions.log1p },
    cost: 'special',
  },
  pow: {
    evaluate: (x = 0, y = 0) => x ** y,
    derivative: binary((x, y, self) => [y.mul(x.pow(y.sub(1))), zero.whereLess(x, self.mul(x.log()), 0)]),
    notation: power,
    written: 'function',
    lanes: { expand: expansions.pow },
    cost: 'special',
  },
  sigmoid: {
    evaluate: special.sigmoid,
    derivative: unary((x) => x.logisticPdf()),
    notation: call('sigmoid', '\\sigma'),
    written: 'function',
    lanes: { expand: expansions.sigmoid, short: { expand: short.sigmoid, ulp: 2.5, range: 'unit' } },
    cost: 'special',
  },
  /** The logistic distribution's density, sigmoid(x) sigmoid(-x): what `sigmoid` is the distribution function of. */
  logisticPdf: {
    evaluate: special.logisticPdf,
    derivative: unary((x, self) => x.div(2).tanh().neg().mul(self)),
    notation: call('logisticPdf', "\\sigma'"),
    written: 'function',
    lanes: {
      expand: expansions.logisticPdf,
      short: { expand: short.logisticPdf, ulp: 2.4, range: 'unit' },
    },
    cost: 'special',
  },
  tanh: {
    evaluate: (x = 0) => Math.tanh(x),
    derivative: unary((x) => x.mul(2).logisticPdf().mul(4)),
    notation: call('tanh', '\\tanh'),
    written: 'function',
    lanes: { expand: expansions.tanh, short: { expand: short.tanh, ulp: 2.6, range: 'signedUnit' } },
    cost: 'special',
  },
  softplus: {
    evaluate: special.softplus,
    derivative: unary((x) => x.sigmoid()),
    notation: call('softplus', '\\operatorname{softplus}'),
    written: 'function',
    lanes: { expand: expansions.softplus, short: { expand: short.softplus, ulp: 2.9, range: 'positive' } },
    cost: 'special',
  },
  erf: {
    evaluate: special.erf,
    derivative: unary((x) =>
      x
        .mul(Math.SQRT2)
        .normalPdf()
        .mul(2 * Math.SQRT2),
    ),
    notation: call('erf', '\\operatorname{erf}'),
    written: 'function',
    lanes: { expand: expansions.erf },
    cost: 'special',
  },
  normalCdf: {
    evaluate: special.normalCdf,
    derivative: unary((x) => x.normalPdf()),
    notation: call('normalCdf', '\\Phi'),
    written: 'function',
    lanes: { expand: expansions.normalCdf, short: { expand: short.normalCdf, ulp: 3.6, range: 'unit' } },
    cost: 'special',
  },
  normalPdf: {
    evaluate: special.normalPdf,
    derivative: unary((x, self) => x.neg().mul(self)),
    notation: call('normalPdf', '\\varphi'),
    written: 'function',
    lanes: { expand: expansions.normalPdf },
    cost: 'special',
  },
  /** x normalCdf(x). */
  geluValue: {
    evaluate: special.geluValue,
    derivative: unary((x) => x.normalCdf().add(x.mul(x.normalPdf()))),
    notation: call('geluValue', '\\operatorname{gelu}'),
    written: 'derived',
    lanes: { expand: expansions.geluValue, short: { expand: short.geluValue, ulp: 3.8, range: 'any' } },
    cost: 'special',
  },
  /** The derivative of x normalCdf(x), whose two terms cancel beside its root. */
  geluSlope: {
    evaluate: special.geluSlope,
    derivative: unary((x) => constant(2).sub(x.mul(x)).mul(x.normalPdf())),
    notation: call('geluSlope', "\\operatorname{gelu}'"),
    written: 'derived',
    lanes: { expand: expansions.geluSlope, short: { expand: short.geluSlope, ulp: 3.5, range: 'any' } },
    cost: 'special',
  },
  /** The derivative of x sigmoid(x), whose two terms cancel beside its root. */
  siluSlope: {
    evaluate: special.siluSlope,
    derivative: unary((x) =>
      constant(2)
        .sub(x.mul(x.div(2).tanh()))
        .mul(x.logisticPdf()),
    ),
    notation: call('siluSlope', "\\operatorname{silu}'"),
    written: 'derived',
    lanes: { expand: expansions.siluSlope, short: { expand: short.siluSlope, ulp: 3.9, range: 'any' } },
    cost: 'special',
  },
  /** x - tanh(x). */
  tanhResidual: {
    evaluate: special.tanhResidual,
    derivative: unary((x) => x.tanh().mul(x.tanh())),
    notation: call('tanhResidual', '\\operatorname{tanhResidual}'),
    written: 'derived',
    lanes: { expand: expansions.tanhResidual },
    cost: 'special',
  },
  /** u + sqrt(u^2 + b) for b > 0. */
  rootSum: {
    evaluate: special.rootSum,
    derivative: binary((u, b, self) => {
      const root = u.mul(u).add(b).sqrt();
      return [self.div(root), constant(0.5).div(root)];
    }),
    notation: call('rootSum', '\\operatorname{rootSum}'),
    written: 'derived',
    lanes: { expand: expansions.rootSum },
    cost: 'special',
  },
} as const satisfies Record<string, Row>;

const rows = { ...arithmetic, ...laneRows, ...functions };
export type Primitive = keyof typeof rows;
export const primitives: { readonly [P in Primitive]: Row } = rows;

/** How many operands a primitive takes: as many as it has partial derivatives. */
export function arity(primitive: Primitive): number {
  return primitives[primitive].derivative([zero, zero, zero, zero], zero).length;
}
