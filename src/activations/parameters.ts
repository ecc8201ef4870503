import { SluiceError } from '../base/errors.js';
import { resolveActivation, resolveFormula } from './catalogue.js';
import type { Activation, Formula, Kind } from './kinds.js';

/** Parameters by name: the values that are given, and those that are learned, from their values on. */
interface Given {
  readonly values: Readonly<Record<string, number>>;
  readonly learned: Readonly<Record<string, 'learned'>>;
}

/**
 * Reads `slope=0.2` and `slope=learned`.
 * @throws SluiceError `argument` for what is neither.
 */
function readParameters(texts: readonly string[]): Given {
  const given = texts.map(parameter);
  const of = <T>(fits: (value: unknown) => value is T): Record<string, T> =>
    Object.fromEntries(given.flatMap(([name, value]): [string, T][] => (fits(value) ? [[name, value]] : [])));
  return {
    values: of((value) => typeof value === 'number'),
    learned: of((value): value is 'learned' => value === 'learned'),
  };
}

function parameter(text: string): [string, number | 'learned'] {
  const [, name = '', written = ''] = /^\s*([A-Za-z]\w*)\s*=\s*(\S+)\s*$/.exec(text) ?? [];
  const value = written === 'learned' ? written : Number(written === '' ? Number.NaN : written);
  if (name !== '' && !Number.isNaN(value)) return [name, value];
  throw new SluiceError('argument', {
    rule: '--param gives a name and a number',
    received: text,
    remedy: 'For example --param alpha=0.2, or alpha=learned.',
  });
}

/** A formula with other parameters: `slope=0.2` gives one a value, `slope=learned` learns it from its value on. */
export function withParameters<K extends Kind>(formula: Formula<K>, texts: readonly string[]): Formula<K> {
  const { values, learned } = readParameters(texts);
  return formula.with(values).with(learned);
}

/** As `resolveFormula`, with parameters as `withParameters` reads them. */
export function formulaWith(text: string, parameters: readonly string[]): Formula {
  const { values, learned } = readParameters(parameters);
  return resolveFormula(text, values).with(learned);
}

/** As `resolveActivation`, with parameters as `withParameters` reads them. */
export function activationWith(text: string, parameters: readonly string[]): Activation {
  const { values, learned } = readParameters(parameters);
  return resolveActivation(text, values).with(learned);
}
