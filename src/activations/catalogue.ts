import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import type { Library } from '../scalar/functions.js';
import { parse } from '../scalar/parse.js';
import * as exponential from './exponential.js';
import * as gates from './gates.js';
import {
  type Activation,
  Formula,
  type Gate,
  inputsOf,
  type Kind,
  type RowFunction,
  type StoredFormula,
} from './kinds.js';
import * as rectified from './rectified.js';
import * as rows from './rows.js';
import * as saturating from './saturating.js';
import * as shrink from './shrink.js';
import * as smooth from './smooth.js';
import * as threshold from './threshold.js';

const activations = { ...threshold, ...rectified, ...exponential, ...smooth, ...saturating, ...shrink };
export type ActivationName = keyof typeof activations;
export type GateName = keyof typeof gates;
export type RowName = keyof typeof rows;

const all: Readonly<Record<string, Formula>> = { ...activations, ...gates, ...rows };

/** Every formula of the catalogue, by its export key. */
export const catalogue = (): readonly Formula[] => Object.values(all);

/** The key and each alias, without case and separators: `leaky_relu` and `LeakyReLU` are `leakyRelu`. */
const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

const namesOf = ({ name, aliases }: Formula): string[] => [name, ...aliases];

const lookUp = (name: string, formulas: readonly Formula[]): Formula | undefined =>
  formulas.find((formula) => namesOf(formula).some((known) => plain(known) === plain(name)));

/** What texts may call beside the primitives. */
const library: Library = {
  names: catalogue().flatMap(namesOf),
  find: (name) => lookUp(name, catalogue()),
};

/**
 * The formula of that name or alias.
 * @throws SluiceError `name` that suggests the nearest one.
 */
export function find(name: string): Formula;
export function find<K extends Kind>(name: string, kind: K): Formula<K>;
export function find(name: string, kind?: Kind): Formula {
  const fits = catalogue().filter((formula) => kind === undefined || formula.kind === kind);
  const found = lookUp(name, fits);
  if (found !== undefined) return found;
  const what =
    kind === undefined
      ? 'a formula'
      : `${kind === 'row' ? 'a row function' : `a${kind === 'gate' ? '' : 'n'} ${kind}`}`;
  throw new SluiceError('name', {
    rule: `${what} is one of the catalogue`,
    received: name,
    remedy: didYouMean(name, fits.flatMap(namesOf), 'See: sluice activations list.'),
  });
}

/** An activation by its name, by an alias, or by its text in x: `x*tanh(softplus(x))`, `gelu(x) + 0.1*x`. */
export function resolveActivation(text: string): Activation {
  const isName = /^[A-Za-z][\w-]*$/.test(text.trim()) && text.trim() !== 'x';
  if (isName) return find(text.trim(), 'activation');
  const expression = parse(text, ['x'], 'number', library);
  return new Formula('activation', text.trim(), expression, {}, { source: 'defined by its text' });
}

/** Reads back what a run stored, by the parser: a custom formula needs no source. */
export function readFormula(stored: StoredFormula): Formula {
  const { kind, name, expression, parameters, source } = stored;
  const names = [...inputsOf[kind], ...Object.keys(parameters), 'noise'];
  const scope = kind === 'row' ? 'row' : 'number';
  return new Formula(kind, name, parse(expression, names, scope, library), parameters, { source });
}

export type { Activation, Gate, RowFunction };
