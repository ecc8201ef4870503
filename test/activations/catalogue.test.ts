import { describe, expect, test } from 'vitest';
import * as exported from '../../src/activations/index.js';
import {
  catalogue,
  Formula,
  find,
  gelu,
  geluTanh,
  leakyRelu,
  readFormula,
  relu,
  resolveActivation,
  resolveFormula,
  softmax,
  swiglu,
} from '../../src/activations/index.js';
import { evaluateRowExpression } from '../../src/activations/properties/rows.js';
import { plainName } from '../../src/base/nearest.js';
import { constant, type Expression, variable } from '../../src/scalar/expression.js';
import { interpreter } from '../../src/scalar/interpret.js';

const formulas = Object.entries(exported).flatMap(([key, value]) =>
  value instanceof Formula ? [[key, value] as const] : [],
);

/** Transformers 5.18, activations.py, in its order. */
const huggingFace = [
  ...['gelu', 'gelu_10', 'gelu_fast', 'gelu_new', 'gelu_python', 'gelu_pytorch_tanh', 'gelu_python_tanh'],
  ...['gelu_accurate', 'hardswish', 'laplace', 'leaky_relu', 'linear', 'mish', 'quick_gelu', 'relu', 'relu2', 'relu6'],
  ...['sigmoid', 'silu', 'sqrtsoftplus', 'swish', 'tanh', 'prelu', 'xielu'],
];

/** torch.nn's activation modules; Softmax2d and MultiheadAttention are other things than formulas here. */
const pyTorch = [
  ...['Threshold', 'ReLU', 'RReLU', 'Hardtanh', 'ReLU6', 'Sigmoid', 'Hardsigmoid', 'Tanh', 'SiLU', 'Mish', 'Hardswish'],
  ...['ELU', 'CELU', 'SELU', 'GLU', 'GELU', 'Hardshrink', 'LeakyReLU', 'LogSigmoid', 'Softplus', 'Softshrink'],
  ...['PReLU', 'Softsign', 'Tanhshrink', 'Softmin', 'Softmax', 'LogSoftmax', 'Identity'],
];

describe('the catalogue', () => {
  test('holds every formula that is exported, under its own name', () => {
    expect(formulas.map(([key]) => key).sort()).toEqual(
      catalogue()
        .map(({ name }) => name)
        .sort(),
    );
    for (const [key, formula] of formulas) expect(formula.name).toBe(key);
  });

  test('gives every name and alias to one formula alone', () => {
    const names = catalogue().flatMap(({ name, aliases }) => [...new Set([name, ...aliases].map(plainName))]);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });

  test.each(catalogue().map((formula) => [formula.name, formula] as const))('finds %s by its names', (_, formula) => {
    for (const name of [formula.name, ...formula.aliases]) {
      expect(find(name)).toBe(formula);
      expect(find(name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))).toBe(formula);
    }
  });

  test.each([...huggingFace, ...pyTorch])('knows %s', (name) => {
    expect(find(name)).toBeInstanceOf(Formula);
  });

  test('names a source for every formula', () => {
    expect(catalogue().filter(({ source }) => source.trim() === '')).toEqual([]);
  });

  test('suggests the nearest name', () => {
    expect(() => find('gellu')).toThrow('Did you mean "gelu"?');
    expect(() => find('swiglu', 'activation')).toThrow('an activation is one of the catalogue');
  });
});

describe('the three forms of GELU', () => {
  test.each([
    ['gelu', 'gelu'],
    ['gelu_python', 'gelu'],
    ['gelu_new', 'geluTanh'],
    ['gelu_pytorch_tanh', 'geluTanh'],
    ['gelu_fast', 'geluTanh'],
    ['quick_gelu', 'quickGelu'],
  ])('%s is %s', (name, expected) => {
    expect(find(name).name).toBe(expected);
  });
});

describe.each(catalogue().map((formula) => [formula.name, formula] as const))('%s as a run saves it', (_, formula) => {
  const read = readFormula(JSON.parse(JSON.stringify(formula)) as ReturnType<typeof formula.toJSON>);
  const grid = [-1e4, -88, -7.5, -3, -1, -0.5, -1e-7, -0, 0, 1e-20, 0.25, 0.5, 1, 2.75, 6, 20, 1e4];

  test('is read back with its kind, its parameters and its noise', () => {
    expect({ ...read.toJSON(), source: '' }).toEqual({ ...formula.toJSON(), source: '' });
    expect([read.learned, read.usesNoise]).toEqual([formula.learned, formula.usesNoise]);
  });

  test('is read back by the parser and evaluates identically', () => {
    const evaluate = (own: typeof formula): number[] => {
      const expression = own.of(...own.inputs.map(variable));
      if (own.kind === 'row') return evaluateRowExpression(expression, { x: grid });
      const at = interpreter([expression], own.inputs);
      const last = grid.length - 1;
      return grid.flatMap((x, i) => at([x, grid[last - i] ?? 0]));
    };
    const [before, after] = [evaluate(formula), evaluate(read)];
    expect(after.filter((y, i) => !Object.is(y, before[i]))).toEqual([]);
  });
});

describe('an activation by its text', () => {
  test('is the catalogue entry of the same formula', () => {
    const own = resolveActivation('x*tanh(softplus(x))');
    expect(own.expression).toBe(find('mish').expression);
  });

  test.each([
    ['relu(x) + relu(-x)', (x: Expression) => relu.of(x).add(relu.of(x.neg()))],
    ['x*GELU(2*x)', (x: Expression) => x.mul(gelu.of(constant(2).mul(x)))],
    ['gelu_new(x) - leaky_relu(x)', (x: Expression) => geluTanh.of(x).sub(leakyRelu.of(x))],
    ['swiglu(x, 1 + x)', (x: Expression) => swiglu.of(x, constant(1).add(x))],
  ])('may call the formulas of the catalogue: %s', (text, expected) => {
    expect(resolveActivation(text).expression).toBe(expected(variable('x')));
  });

  test.each([
    ['geluu(x)', 'Did you mean "gelu"?'],
    ['softmax(x)', 'softmax runs along a row'],
    ['glu(x)', 'glu takes 2 operands'],
  ])('says what is wrong with %s', (text, message) => {
    expect(() => resolveActivation(text)).toThrow(message);
  });

  test('that a run stored is read with the names of the catalogue', () => {
    const stored = { ...softmax.toJSON(), expression: 'softmax(x)*relu(x)' };
    expect(readFormula(stored).expression).toBe(softmax.of(variable('x')).mul(relu.of(variable('x'))));
  });

  test('has the parameters that are given and used', () => {
    const own = resolveFormula('x*sigmoid(beta*x)', { beta: 1.5 });
    expect(own.expression).toBe(find('swish').with({ beta: 1.5 }).expression);
    expect(own.with({ beta: 'learned' }).learned).toEqual(['beta']);
    expect(readFormula(JSON.parse(JSON.stringify(own))).expression).toBe(own.expression);
    expect(resolveFormula('swish', { beta: 1.5 }).expression).toBe(own.expression);
  });

  test.each([
    [{ gamma: 1 }, 'an expression here uses the variables x, gamma, received "beta"'],
    [{ beta: 1, gamma: 1 }, 'x*sigmoid(beta*x) has the parameters beta, received "gamma"'],
    [{ beta: 1, x: 1 }, 'x*sigmoid(beta*x) has the parameters beta, received "x"'],
    [{ beta: Number.NaN }, 'parameter beta of x*sigmoid(beta*x) is a finite number'],
  ])('says what is wrong with the parameters %j', (parameters, message) => {
    expect(() => resolveFormula('x*sigmoid(beta*x)', parameters)).toThrow(message);
  });

  test('is read in x alone', () => {
    expect(() => resolveActivation('x*y')).toThrow('an expression here uses the variables x');
  });
});
