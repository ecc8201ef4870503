import { describe, expect, test } from 'vitest';
import { find } from '../../src/activations/catalogue.js';
import { constant, variable } from '../../src/scalar/expression.js';
import { parse } from '../../src/scalar/parse.js';
import { toLatex, toText } from '../../src/scalar/print.js';

const x = variable('x');

describe('a formula of the catalogue as written', () => {
  test.each([
    ['relu', 'max(x, 0)', '\\max\\left(x, 0\\right)'],
    ['silu', 'x*sigmoid(x)', 'x \\cdot \\sigma\\left(x\\right)'],
    ['mish', 'x*tanh(softplus(x))', 'x \\cdot \\tanh\\left(\\operatorname{softplus}\\left(x\\right)\\right)'],
    ['gelu', 'x*normalCdf(x)', 'x \\cdot \\Phi\\left(x\\right)'],
    ['softsign', 'x/(abs(x) + 1)', '\\frac{x}{\\left|x\\right|+1}'],
    ['swish', 'x*sigmoid(beta*x)', 'x \\cdot \\sigma\\left(\\beta \\cdot x\\right)'],
    [
      'elu',
      'where(0 < x, x, alpha*expm1(x))',
      '\\begin{cases} x & \\text{if } 0 < x \\\\ \\alpha \\cdot \\operatorname{expm1}\\left(x\\right) & \\text{otherwise} \\end{cases}',
    ],
    ['squareplus', '(x + sqrt(x*x + b))/2', '\\frac{x+\\sqrt{x \\cdot x+b}}{2}'],
    [
      'swiglu',
      'gate*sigmoid(beta*gate)*value',
      '\\mathrm{gate} \\cdot \\sigma\\left(\\beta \\cdot \\mathrm{gate}\\right) \\cdot \\mathrm{value}',
    ],
    [
      'softmax',
      'exp(x - maximum(x))/sum(exp(x - maximum(x)))',
      '\\frac{\\exp\\left(x-\\max_j x\\right)}{\\sum_j \\exp\\left(x-\\max_j x\\right)}',
    ],
  ])('%s', (name, text, latex) => {
    const { definition } = find(name);
    expect(toText(definition)).toBe(text);
    expect(toLatex(definition)).toBe(latex);
  });
});

describe('LaTeX', () => {
  test.each([
    ['-(x + 1)*2', '-\\left(x+1\\right) \\cdot 2'],
    ['x - (1 - x)', 'x-\\left(1-x\\right)'],
    ['(x + 1)*(x - 1)', '\\left(x+1\\right) \\cdot \\left(x-1\\right)'],
    ['pow(x, 1.5)', 'x^{1.5}'],
    ['pow(x + 1, x - 1)', '\\left(x+1\\right)^{x-1}'],
    ['pow(-2, x)', '\\left(-2\\right)^{x}'],
    ['x/3', '\\frac{x}{3}'],
    ['floor(x)', '\\lfloor x \\rfloor'],
    ['pi*x', '\\pi \\cdot x'],
    ['x*0.7978845608028654', 'x \\cdot \\sqrt{2/\\pi}'],
    ['x*1.4142135623730951', 'x \\cdot \\sqrt{2}'],
    ['-0.7071067811865476*x', '-\\frac{1}{\\sqrt{2}} \\cdot x'],
    ['1.6732632423543772*x', '1.673263 \\cdot x'],
    ['1e-7*x', '1 \\cdot 10^{-7} \\cdot x'],
    ['2.5e30', '2.5 \\cdot 10^{30}'],
    ['min(x, inf)', '\\min\\left(x, \\infty\\right)'],
    ['max(x, -inf)', '\\max\\left(x, -\\infty\\right)'],
    ['x + nan', 'x+\\mathrm{NaN}'],
  ])('of %s is %s', (text, latex) => {
    expect(toLatex(parse(text))).toBe(latex);
  });

  test('writes Greek parameters by their letters and long ones upright', () => {
    expect(toLatex(variable('alpha').add(variable('alphaP')).mul(variable('b')))).toBe(
      '\\left(\\alpha+\\mathrm{alphaP}\\right) \\cdot b',
    );
  });
});

test('text round-trips every digit of a number', () => {
  expect(toText(constant(0.1 + 0.2).mul(x))).toBe('0.30000000000000004*x');
  expect(toText(constant(5e-324))).toBe('5e-324');
});
