import { SluiceError } from '../base/errors.js';
import { didYouMean, plainName } from '../base/nearest.js';
import { variablesOf } from '../scalar/expression.js';
import type { Library } from '../scalar/functions.js';
import { parse } from '../scalar/parse.js';
import { catalogueCells } from './cells.js';
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

const namesOf = ({ name, aliases }: Formula): string[] => [name, ...aliases];

const lookUp = (name: string, formulas: readonly Formula[]): Formula | undefined =>
  formulas.find((formula) => namesOf(formula).some((known) => plainName(known) === plainName(name)));

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
    remedy: isCell(name)
      ? `A cell has several inputs: see sluice activations show ${plainName(name)}.`
      : didYouMean(name, fits.flatMap(namesOf), 'See: sluice activations list.'),
  });
}

const isCell = (name: string): boolean => catalogueCells().some((cell) => cell.name === plainName(name));

const isName = (text: string): boolean => /^[A-Za-z][\w-]*$/.test(text) && !isReserved(text);
const isReserved = (name: string): boolean => [...inputsOf.activation, 'noise'].includes(name);

/** An activation by its text in x and in parameters, each of which has a value. */
function activationByText(text: string, parameters: Readonly<Record<string, number>>): Activation {
  const names = Object.keys(parameters).filter((name) => !isReserved(name));
  const expression = parse(text, [...inputsOf.activation, ...names], 'number', library);
  const used = variablesOf([expression]).filter((name) => names.includes(name));
  const own = Object.fromEntries(used.map((name) => [name, { value: 0, learned: false }]));
  return new Formula('activation', text, expression, own, { source: 'defined by its text' }).with(parameters);
}

/**
 * An activation by its name, by an alias, or by its text in x: `x*tanh(softplus(x))`, `gelu(x) + 0.1*x`; with these values
 * of its parameters.
 */
export const resolveActivation = (text: string, parameters: Readonly<Record<string, number>> = {}): Activation =>
  isName(text.trim()) ? find(text.trim(), 'activation').with(parameters) : activationByText(text.trim(), parameters);

/**
 * A formula of any kind by its name or an alias, or an activation by its text, with these values of its parameters:
 * `x*sigmoid(beta*x)` with a beta.
 */
export const resolveFormula = (text: string, parameters: Readonly<Record<string, number>> = {}): Formula =>
  isName(text.trim()) ? find(text.trim()).with(parameters) : activationByText(text.trim(), parameters);

/** Reads back what a run stored, by the parser: a custom formula needs no source. */
export function readFormula(stored: StoredFormula): Formula {
  const { kind, name, expression, parameters, source } = stored;
  const names = [...inputsOf[kind], ...Object.keys(parameters), 'noise'];
  const scope = kind === 'row' ? 'row' : 'number';
  return new Formula(kind, name, parse(expression, names, scope, library), parameters, { source });
}

export type { Activation, Gate, RowFunction };
