import type { Expression } from './expression.js';
import { primitives } from './primitives.js';

interface Style {
  readonly primitive: 'text' | 'latex';
  readonly number: (value: number) => string;
  readonly variable: (name: string) => string;
  readonly reduce: (reduction: string, operand: string) => string;
}

function print(expression: Expression, style: Style): string {
  const done = new Map<Expression, { text: string; level: number }>();
  const visit = (current: Expression): { text: string; level: number } => {
    const known = done.get(current);
    if (known !== undefined) return known;
    const { node } = current;
    let printed: { text: string; level: number };
    if (node.kind === 'constant') printed = { text: style.number(node.value), level: isSigned(node.value) ? 3 : 5 };
    else if (node.kind === 'variable') printed = { text: style.variable(node.name), level: 5 };
    else if (node.kind === 'reduce')
      printed = { text: style.reduce(node.reduction, visit(node.operands[0]).text), level: 5 };
    else {
      const template = primitives[node.primitive].notation[style.primitive];
      const operands = node.operands.map((operand, i) => {
        const { text, level } = visit(operand);
        // The parser reads -3 as a number and -(3) as its negation.
        const bare = node.primitive === 'neg' && operand.value !== undefined && !isSigned(operand.value);
        return bare || level < (template.operands[i] ?? 0) ? bracket(text, style) : text;
      });
      printed = { text: template.write(...operands), level: template.level };
    }
    done.set(current, printed);
    return printed;
  };
  return visit(expression).text;
}

const isSigned = (value: number): boolean => value < 0 || Object.is(value, -0);

const bracket = (text: string, style: Style): string =>
  style.primitive === 'latex' ? `\\left(${text}\\right)` : `(${text})`;

/** Plain text that the parser reads back to the same expression: numbers round-trip. */
export const toText = (expression: Expression): string =>
  print(expression, {
    primitive: 'text',
    number: (value) => {
      if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
      return value > 0 ? 'inf' : value < 0 ? '-inf' : 'nan';
    },
    variable: (name) => name,
    reduce: (reduction, operand) => `${reduction}(${operand})`,
  });

const greek = new Set(['alpha', 'beta', 'gamma', 'lambda', 'mu', 'sigma', 'theta', 'epsilon']);

/** LaTeX, numbers to seven digits and well-known constants by name. */
export const toLatex = (expression: Expression): string =>
  print(expression, {
    primitive: 'latex',
    number: latexNumber,
    variable: (name) => (greek.has(name) ? `\\${name}` : name.length === 1 ? name : `\\mathrm{${name}}`),
    reduce: (reduction, operand) => (reduction === 'sum' ? `\\sum_j ${operand}` : `\\max_j ${operand}`),
  });

const namedConstants: readonly (readonly [number, string])[] = [
  [Math.sqrt(2 / Math.PI), '\\sqrt{2/\\pi}'],
  [2 * Math.sqrt(2 / Math.PI), '2\\sqrt{2/\\pi}'],
  [Math.SQRT2, '\\sqrt{2}'],
  [Math.SQRT1_2, '\\frac{1}{\\sqrt{2}}'],
  [Math.PI, '\\pi'],
  [1 / 3, '\\frac{1}{3}'],
  [1 / 6, '\\frac{1}{6}'],
];

function latexNumber(value: number): string {
  const named = namedConstants.find(([number]) => Math.abs(number - Math.abs(value)) < 1e-15);
  if (named !== undefined) return `${value < 0 ? '-' : ''}${named[1]}`;
  if (!Number.isFinite(value)) return value > 0 ? '\\infty' : value < 0 ? '-\\infty' : '\\mathrm{NaN}';
  const [digits = '', power] = String(Number(value.toPrecision(7))).split('e');
  return power === undefined ? digits : `${digits} \\cdot 10^{${Number(power)}}`;
}
