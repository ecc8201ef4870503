import { SluiceError } from './errors.js';
import { didYouMean } from './nearest.js';

/** Every option of a type, with its default where it has a fixed one: what is given is checked against its keys. */
export type OptionTable<O> = { readonly [K in keyof O]-?: O[K] | undefined };

/** Options with the defaults of a table filled in. */
export type Completed<O, T extends OptionTable<O>> = {
  readonly [K in keyof O]-?: undefined extends T[K]
    ? Record<never, never> extends Pick<O, K>
      ? O[K] | undefined
      : O[K]
    : Exclude<O[K], undefined>;
};

/** What has a key for each option of a type. */
export type OptionNames<O> = { readonly [K in keyof O]-?: unknown };

/**
 * Refuses options that the table does not have: without a compiler a misspelt one would be left out in silence.
 * @param owner what takes them, as errors call it.
 * @throws SluiceError `name` with the nearest name, `argument` for what is no object.
 */
export function checkOptions<O extends object>(owner: string, options: O, table: OptionNames<O>): void {
  if (typeof options !== 'object' || options === null) {
    throw new SluiceError('argument', {
      rule: `the options of ${owner} are an object`,
      received: options,
      remedy: `It may have ${Object.keys(table).join(', ')}.`,
    });
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(table, name)) continue;
    const names = Object.keys(table);
    throw new SluiceError('name', {
      rule: `an option of ${owner} is one that it knows`,
      received: name,
      remedy: didYouMean(name, names, `It knows ${names.join(', ')}.`),
    });
  }
}

/** The options with the table's defaults for those that are left out or undefined. Throws as `checkOptions`. */
export function completeOptions<O extends object, const T extends OptionTable<O>>(
  owner: string,
  options: O,
  table: T,
): Completed<O, T> {
  checkOptions<O>(owner, options, table);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...table, ...Object.fromEntries(given) } as unknown as Completed<O, T>;
}

/**
 * Holds that a value is one of those known.
 * @throws SluiceError `name` with the nearest one.
 */
export function checkChoice(what: string, value: unknown, known: readonly string[]): void {
  if (known.some((one) => one === value)) return;
  throw new SluiceError('name', {
    rule: `${what} is one of ${known.join(', ')}`,
    received: value,
    remedy: didYouMean(String(value), known, 'Choose one of them.'),
  });
}
