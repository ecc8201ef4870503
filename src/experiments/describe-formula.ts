import { isWhole } from '../activations/properties/domain.js';
import type { CurveProperties, FormulaCost, Interval, Properties } from '../activations/properties.js';
import { plural } from '../base/plural.js';
import { brief } from './brief.js';

export const costText = ({ operations, special, exponentials }: FormulaCost): string =>
  `${plural(operations, 'operation')}, ${plural(special, 'special function')} (${plural(exponentials, 'exponential')}) per element`;

/** An interval: a square bracket where the end is taken. */
export function rangeText({ infimum, supremum }: CurveProperties['range']): string {
  const [open, close] = [infimum.attained ? '[' : '(', supremum.attained ? ']' : ')'];
  return `${open}${brief(infimum.value, 4)}, ${brief(supremum.value, 4)}${close}`;
}

/** Intervals, on which all that is said of the formula is computed. */
const domainText = (domain: readonly Interval[]): string =>
  domain.length === 0
    ? 'none: it has no value anywhere'
    : `${domain.map(intervalText).join(' and ')}; what is said below is about this alone`;

const intervalText = ({ from, to }: Interval): string =>
  `${from.included ? '[' : '('}${brief(from.x)}, ${brief(to.x)}${to.included ? ']' : ')'}`;

const yesNo = (value: boolean): string => (value ? 'yes' : 'no');

/** Properties as names and values for people. */
export function propertyLines(properties: Properties): [string, string][] {
  if ('sumsToOne' in properties) {
    return [
      ['sums to 1', yesNo(properties.sumsToOne)],
      ['unchanged by a shift', yesNo(properties.shiftInvariant)],
      ['never negative', yesNo(properties.nonNegative)],
    ];
  }
  const { mean, variance, zeros } = properties.normal;
  const moments: [string, string][] = [
    ['normal input', `mean ${brief(mean)}, variance ${brief(variance)}, exact zeros ${brief(100 * zeros, 4)} %`],
    ['zero-centred', yesNo(properties.zeroCentred)],
  ];
  if ('range' in properties) return [...curveLines(properties), ...moments];
  return [
    ['linear in the value', yesNo(properties.linearInValue)],
    ['a gate of 0 closes', yesNo(properties.closesAtZero)],
    ...curveLines(properties.atValueOne).map(([name, value]): [string, string] => [
      `at value 1, ${name.trim()}`,
      value,
    ]),
    ...moments,
  ];
}

function curveLines(curve: CurveProperties): [string, string][] {
  const { infimum, supremum } = curve.range;
  const end = ({ value, at, attained }: typeof infimum): string =>
    Number.isFinite(value) ? `${brief(value)} (${attained ? 'at' : 'as x goes to'} ${brief(at)})` : brief(value);
  return [
    ...(isWhole(curve.domain) ? [] : [['domain', domainText(curve.domain)] as [string, string]]),
    ['range', `${end(infimum)} to ${end(supremum)}`],
    ['limits', `${brief(curve.limits[0])} and ${brief(curve.limits[1])}`],
    ['linear', yesNo(curve.linear)],
    ['monotonic', curve.monotonic],
    ['symmetry', curve.symmetry],
    ['differentiable', curve.differentiable],
    ...curve.kinks.map(({ x, left, derivative, right, jump }): [string, string] => [
      `  ${jump === 0 ? 'kink' : 'jump'} at ${brief(x)}`,
      `slope ${brief(left)} before, ${brief(right)} after; derivative ${brief(derivative)} chosen` +
        (jump === 0 ? '' : `; the value jumps by ${brief(jump)}`),
    ]),
    [
      'at 0',
      !Number.isFinite(curve.atZero.value)
        ? 'not defined'
        : `value ${brief(curve.atZero.value)}, derivative ${brief(curve.atZero.derivative)}` +
          (curve.atZero.nearIdentity ? ': near the identity' : ''),
    ],
    ['saturates', `left ${curve.saturates.left}, right ${curve.saturates.right}`],
    ['largest derivative', end(curve.steepest)],
  ];
}
