import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { constant, type Expression, substitute, variable, variablesOf } from '../scalar/expression.js';
import { toText } from '../scalar/print.js';

/** A number inside a formula: fixed, or learned with the model's weights. */
export interface Parameter {
  /** The value, or for a learned one its initial value. */
  readonly value: number;
  readonly learned: boolean;
}

export interface Description {
  /** The paper or system it comes from. */
  readonly source: string;
  /** Other systems' names where they differ by more than case and separators. */
  readonly aliases?: readonly string[];
  /** Constants of the formula with their defaults. */
  readonly parameters?: Readonly<Record<string, number>>;
  /** Parameters that are learned, with their initial values. */
  readonly learned?: Readonly<Record<string, number>>;
  /** The formula uses `noise`, uniform in [0, 1) and drawn per element in training; 1/2 in evaluation. */
  readonly noise?: boolean;
}

export type Kind = 'activation' | 'gate' | 'row';

/** The inputs of each kind, by the names that formulas and command lines use. */
export const inputsOf = { activation: ['x'], gate: ['gate', 'value'], row: ['x'] } as const satisfies Record<
  Kind,
  readonly string[]
>;

type Values = Readonly<Record<string, number | 'learned'>>;

/**
 * A named formula: one expression in its inputs and parameters. It is a value: `with` and `learn` give new ones.
 * Kinds differ in type, so that a gate cannot stand where an activation is meant.
 */
export class Formula<K extends Kind = Kind> {
  readonly kind: K;
  readonly name: string;
  /** The formula as written, in the inputs, the parameters and perhaps `noise`. */
  readonly definition: Expression;
  readonly parameters: Readonly<Record<string, Parameter>>;
  readonly source: string;
  readonly aliases: readonly string[];

  constructor(
    kind: K,
    name: string,
    definition: Expression,
    parameters: Readonly<Record<string, Parameter>>,
    about: Pick<Description, 'source' | 'aliases'>,
  ) {
    this.kind = kind;
    this.name = name;
    this.definition = definition;
    this.parameters = parameters;
    this.source = about.source;
    this.aliases = about.aliases ?? [];
  }

  get inputs(): readonly string[] {
    return inputsOf[this.kind];
  }

  /** The names of the learned parameters; they are variables of `expression`. */
  get learned(): readonly string[] {
    return Object.keys(this.parameters).filter((name) => this.parameters[name]?.learned === true);
  }

  get usesNoise(): boolean {
    return variablesOf([this.definition]).includes('noise');
  }

  /** The formula with its constants put in: a function of the inputs and the learned parameters. Noise at its mean. */
  get expression(): Expression {
    return substitute(this.noisy, { noise: 0.5 });
  }

  /** As `expression`, with `noise` left as a variable: what training evaluates. */
  get noisy(): Expression {
    const fixed = Object.entries(this.parameters).filter(([, parameter]) => !parameter.learned);
    return substitute(this.definition, Object.fromEntries(fixed.map(([name, { value }]) => [name, value])));
  }

  /** The formula at other expressions, learned parameters at their initial values. */
  of(...inputs: readonly Expression[]): Expression {
    const values: Record<string, Expression | number> = {};
    this.inputs.forEach((name, i) => {
      values[name] = inputs[i] ?? constant(Number.NaN);
    });
    for (const name of this.learned) values[name] = this.parameters[name]?.value ?? 0;
    return substitute(this.expression, values);
  }

  /** The same formula with other parameter values; `'learned'` makes one learned from its current value on. */
  with(values: Values): Formula<K> {
    if (Object.keys(values).length === 0) return this;
    const parameters = { ...this.parameters };
    for (const [name, value] of Object.entries(values)) {
      const known = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
      if (known === undefined) throw unknownParameter(this, name);
      if (value !== 'learned' && !Number.isFinite(value)) {
        throw new SluiceError('argument', {
          rule: `parameter ${name} of ${this.name} is a finite number`,
          received: value,
          remedy: `Leave it out for ${known.value}, or write 'learned' to train it from there on.`,
        });
      }
      parameters[name] = value === 'learned' ? { ...known, learned: true } : { ...known, value };
    }
    return new Formula(this.kind, this.name, this.definition, parameters, this);
  }

  /** What a run stores, and what `readFormula` reads back without this source. */
  toJSON(): StoredFormula<K> {
    const { kind, name, parameters, source } = this;
    return { kind, name, expression: toText(this.definition), parameters, source };
  }
}

export interface StoredFormula<K extends Kind = Kind> {
  readonly kind: K;
  readonly name: string;
  readonly expression: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
  readonly source: string;
}

export type Activation = Formula<'activation'>;
export type Gate = Formula<'gate'>;
export type RowFunction = Formula<'row'>;

function unknownParameter(formula: Formula, name: string): SluiceError {
  const names = Object.keys(formula.parameters);
  return new SluiceError('name', {
    rule: `${formula.name} has ${names.length === 0 ? 'no parameters' : `the parameters ${names.join(', ')}`}`,
    received: name,
    remedy: names.length === 0 ? 'Leave it out.' : didYouMean(name, names, 'Parameters are given by name.'),
  });
}

type Symbols<D extends Description> = Readonly<
  Record<keyof D['parameters'] | keyof D['learned'] | 'noise', Expression>
>;

function define<K extends Kind>(kind: K, name: string, definition: Expression, about: Description): Formula<K> {
  const { parameters = {}, learned = {} } = about;
  const fixed = Object.entries(parameters).map(([key, value]) => [key, { value, learned: false }] as const);
  const trained = Object.entries(learned).map(([key, value]) => [key, { value, learned: true }] as const);
  const all = Object.fromEntries([...fixed, ...trained]);
  const known = [...inputsOf[kind], ...Object.keys(all), ...(about.noise === true ? ['noise'] : [])];
  const unknown = variablesOf([definition]).find((variableName) => !known.includes(variableName));
  if (unknown !== undefined) {
    throw new SluiceError('expression', {
      rule: `${name} is a formula in ${known.join(', ')}`,
      received: unknown,
      remedy: 'Declare it under parameters or learned, or put a number in its place.',
    });
  }
  return new Formula(kind, name, definition, all, about);
}

function symbolsOf<D extends Description>(about: D): Symbols<D> {
  const names = [...Object.keys(about.parameters ?? {}), ...Object.keys(about.learned ?? {}), 'noise'];
  return Object.fromEntries(names.map((name) => [name, variable(name)])) as Symbols<D>;
}

const own = { source: 'defined by the user' } as const;

/**
 * An activation: a function of one number, applied to each element.
 * @example const mish = activation('mish', (x) => x.mul(x.softplus().tanh()));
 */
/* @__NO_SIDE_EFFECTS__ */
export function activation<const D extends Description>(
  name: string,
  formula: (x: Expression, parameters: Symbols<D>) => Expression,
  about: D = own as unknown as D,
): Activation {
  return define('activation', name, formula(variable('x'), symbolsOf(about)), about);
}

/** A gate: a function of two numbers, of which `gate` is activated and `value` is let through. */
/* @__NO_SIDE_EFFECTS__ */
export function gate<const D extends Description>(
  name: string,
  formula: (gate: Expression, value: Expression, parameters: Symbols<D>) => Expression,
  about: D = own as unknown as D,
): Gate {
  return define('gate', name, formula(variable('gate'), variable('value'), symbolsOf(about)), about);
}

/** A row function: each element's value depends on its whole row, by reductions. */
/* @__NO_SIDE_EFFECTS__ */
export function rowFunction<const D extends Description>(
  name: string,
  formula: (x: Expression, parameters: Symbols<D>) => Expression,
  about: D = own as unknown as D,
): RowFunction {
  return define('row', name, formula(variable('x'), symbolsOf(about)), about);
}
