/** The functions that a text may call: primitives, reductions, a few spellings, and formulas that have a name. */
import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { plural } from '../base/plural.js';
import { apply, constant, Expression, type Reduction, reachable, reductions, variable } from './expression.js';
import { arity, type Primitive, primitives } from './primitives.js';

/** A formula that texts may call by its name. */
export interface Callable {
  readonly inputs: readonly string[];
  /** The formula at other expressions, one for each input. */
  of(...inputs: readonly Expression[]): Expression;
}

/** Formulas by name, for what is no primitive. */
export interface Library {
  /** For suggestions; `find` may take further spellings. */
  readonly names: readonly string[];
  find(name: string): Callable | undefined;
}

export const noLibrary: Library = { names: [], find: () => undefined };

const unary = (of: (x: Expression) => Expression): Callable => ({
  inputs: ['x'],
  of: (x = constant(Number.NaN)) => of(x),
});

const spellings: Readonly<Record<string, Callable>> = {
  square: unary((x) => x.mul(x)),
  log2: unary((x) => x.log().mul(Math.LOG2E)),
  cosh: unary((x) => x.exp().add(x.neg().exp()).mul(0.5)),
};

const along: Readonly<Record<string, Callable>> = Object.fromEntries(
  (Object.keys(reductions) as Reduction[]).map((reduction) => [
    reduction,
    unary((x) => Expression.of({ kind: 'reduce', reduction, operands: [x] })),
  ]),
);

const places = ['a', 'b', 'c', 'd'] as const;
const callable = (written: readonly string[]): [Primitive, Callable][] =>
  (Object.keys(primitives) as Primitive[])
    .filter((primitive) => written.includes(primitives[primitive].written))
    .map((primitive) => [
      primitive,
      { inputs: places.slice(0, arity(primitive)), of: (...inputs) => apply(primitive, ...inputs) },
    ]);

/** What derivatives hold is read back, but not offered. */
const known: Readonly<Record<string, Callable>> = {
  ...Object.fromEntries(callable(['function', 'derived'])),
  ...spellings,
  ...along,
};
const offered = [...callable(['function']).map(([name]) => name), ...Object.keys(spellings), 'where'];

/** Whether it has a reduction, which only a row has. */
const isOfRows = (callable: Callable): boolean =>
  reachable([callable.of(...callable.inputs.map(variable))]).some(({ node }) => node.kind === 'reduce');

/** What an expression is applied to. */
export type Scope = 'number' | 'row';

/**
 * The function of that name: a primitive comes before a formula of the library.
 * @throws SluiceError `expression` that suggests the nearest name.
 */
export function functionOf(name: string, library: Library, scope: Scope): Callable {
  const found = Object.hasOwn(known, name) ? known[name] : library.find(name);
  if (found !== undefined && (scope === 'row' || !isOfRows(found))) return found;
  if (found !== undefined) {
    throw new SluiceError('expression', {
      rule: 'an expression here is a function of single numbers',
      received: name,
      remedy: `${name} runs along a row.`,
    });
  }
  const names = [...offered, ...(scope === 'row' ? Object.keys(along) : [])];
  throw new SluiceError('expression', {
    rule: `a function is one of the primitives${library.names.length === 0 ? '' : ' or of the catalogue'}`,
    received: name,
    remedy: didYouMean(name, [...names, ...library.names], `The primitives are: ${names.join(', ')}.`),
  });
}

/** The function at these operands. */
export function call(name: string, callable: Callable, operands: readonly Expression[]): Expression {
  const { length } = callable.inputs;
  if (operands.length === length) return callable.of(...operands);
  throw new SluiceError('expression', {
    rule: `${name} takes ${plural(length, 'operand')}`,
    received: operands.length,
    remedy: `Write ${name}(${callable.inputs.join(', ')}).`,
  });
}
