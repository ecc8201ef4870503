/** What can be said of a formula, computed from its expression by scanning and bisection; nothing here is asserted. */
import { gradient } from '../scalar/differentiate.js';
import { type Expression, substitute, variable } from '../scalar/expression.js';
import { interpreter } from '../scalar/interpret.js';
import { type Cost, cost, exponentials } from '../scalar/lower.js';
import type { Activation, Formula, Gate, RowFunction } from './kinds.js';
import { type CurveProperties, curveOf } from './properties/curve.js';
import { jumpTolerance } from './properties/discontinuities.js';
import { isWhole } from './properties/domain.js';
import { type NormalMoments, normalMoments, normalMoments2 } from './properties/normal.js';
import { type RowProperties, rowProperties } from './properties/rows.js';

export type { CurveProperties, SaturatingSide } from './properties/curve.js';
export type { Kink } from './properties/discontinuities.js';
export type { End, Interval } from './properties/domain.js';
export type { Bound, Limits } from './properties/extremes.js';
export type { NormalMoments } from './properties/normal.js';
export type { RowProperties } from './properties/rows.js';

/** What everything below holds to, relative to the size of the value or to 1. */
export const propertyTolerance = jumpTolerance;

export interface ActivationProperties extends CurveProperties {
  /** Under a standard normal input, given that it lies in the domain. */
  readonly normal: NormalMoments;
  /** The mean output under a standard normal input is 0. */
  readonly zeroCentred: boolean;
}

export interface GateProperties {
  /** The output is proportional to the value. */
  readonly linearInValue: boolean;
  /** A gate of 0 closes: the output is 0 whatever the value. */
  readonly closesAtZero: boolean;
  /** As a function of the gate, where the value is 1. */
  readonly atValueOne: CurveProperties;
  /** Under independent standard normal gate and value. */
  readonly normal: NormalMoments;
  readonly zeroCentred: boolean;
}

export type Properties = ActivationProperties | GateProperties | RowProperties;

/** Properties at the formula's parameters, learned ones at their initial values, noise at its mean. */
export function propertiesOf(formula: Activation): ActivationProperties;
export function propertiesOf(formula: Gate): GateProperties;
export function propertiesOf(formula: RowFunction): RowProperties;
export function propertiesOf(formula: Formula): Properties;
export function propertiesOf(formula: Formula): Properties {
  const expression = formula.of(...formula.inputs.map(variable));
  if (formula.kind === 'row') return rowProperties(expression);
  return formula.kind === 'gate' ? gateProperties(expression) : activationProperties(expression);
}

const isZero = (value: number): boolean => Math.abs(value) <= propertyTolerance;

function activationProperties(expression: Expression): ActivationProperties {
  const { scan, properties } = curveOf(expression);
  const { at, breaks, domain } = scan;
  const edges = [...breaks, ...properties.kinks.map(({ x }) => x)];
  const normal = normalMoments((x) => at(x).value, edges, isWhole(domain) ? undefined : domain);
  return { ...properties, normal, zeroCentred: isZero(normal.mean) };
}

function gateProperties(expression: Expression): GateProperties {
  const byGate = curveOf(substitute(expression, { gate: variable('x'), value: 1 }));
  const byValue = curveOf(substitute(expression, { gate: 1, value: variable('x') }));
  const evaluate = interpreter([expression], ['gate', 'value']);
  const at = (gate: number, value: number): number => evaluate([gate, value])[0] ?? Number.NaN;
  const values = [-3, -0.5, 0.25, 2, 7.5];
  const isProportional = (gate: number): boolean =>
    values.every((value) => isZero((at(gate, value) - value * at(gate, 1)) / Math.max(1, Math.abs(at(gate, value)))));
  const normal = normalMoments2(at, [byGate.scan.breaks, byValue.scan.breaks]);
  return {
    linearInValue: values.every(isProportional),
    closesAtZero: values.every((value) => at(0, value) === 0),
    atValueOne: byGate.properties,
    normal,
    zeroCentred: isZero(normal.mean),
  };
}

export interface FormulaCost extends Cost {
  /** Exponentials and logarithms per element, once special functions are expanded. */
  readonly exponentials: number;
}

/** What evaluating a formula costs per element: its value alone, and value and derivatives together. */
export interface FormulaCosts {
  readonly value: FormulaCost;
  readonly gradient: FormulaCost;
}

export function costsOf(formula: Formula): FormulaCosts {
  const { expression } = formula;
  const isRow = formula.kind === 'row';
  const cotangent = isRow ? variable('cotangent') : 1;
  const elements = new Set(isRow ? ['x', 'cotangent'] : []);
  const derivatives = gradient([{ output: expression, cotangent }], formula.inputs, elements);
  const together = [expression, ...derivatives];
  return {
    value: { ...cost([expression]), exponentials: exponentials([expression]) },
    gradient: { ...cost(together), exponentials: exponentials(together) },
  };
}
