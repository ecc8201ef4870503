import { SluiceError } from '../base/errors.js';

/** How well classes were told apart. */
export interface ClassScores {
  readonly examples: number;
  /** The share of the examples whose class was told. */
  readonly accuracy: number;
  /** The mean of the classes' F1, each class counting the same. */
  readonly macroF1: number;
  readonly classes: readonly ClassScore[];
  /** confusion[i][j]: examples of class i that were taken for class j. */
  readonly confusion: readonly (readonly number[])[];
}

export interface ClassScore {
  readonly name: string;
  readonly examples: number;
  /** Of those taken for the class, the share that is of it; 0 where none is taken for it. */
  readonly precision: number;
  /** Of those of the class, the share that is taken for it; 0 where there are none. */
  readonly recall: number;
  /** The harmonic mean of both; 0 where both are 0. */
  readonly f1: number;
}

/** @param predicted and @param actual the class of each example, below names.length; @throws SluiceError `argument` for lengths that differ or none. */
export function classScores(
  predicted: ArrayLike<number>,
  actual: ArrayLike<number>,
  names: readonly string[],
): ClassScores {
  requirePairs(predicted, actual);
  const confusion = names.map(() => names.map(() => 0));
  for (let i = 0; i < actual.length; i++) {
    const row = confusion[actual[i] ?? -1];
    const column = predicted[i] ?? -1;
    if (row?.[column] === undefined) {
      throw new SluiceError('argument', {
        rule: `classes are numbers below ${names.length}`,
        received: [actual[i], predicted[i]],
        remedy: 'Give a name for each class.',
      });
    }
    row[column] = (row[column] ?? 0) + 1;
  }
  const classes = names.map((name, k): ClassScore => {
    const right = confusion[k]?.[k] ?? 0;
    const examples = sum(confusion[k] ?? []);
    const taken = sum(confusion.map((row) => row[k] ?? 0));
    const f1 = ratio(2 * right, examples + taken);
    return { name, examples, precision: ratio(right, taken), recall: ratio(right, examples), f1 };
  });
  const right = sum(confusion.map((row, k) => row[k] ?? 0));
  // A class that neither occurs nor is guessed says nothing.
  const seen = classes.filter((_, k) => sum(confusion[k] ?? []) + sum(confusion.map((row) => row[k] ?? 0)) > 0);
  const macroF1 = sum(seen.map(({ f1 }) => f1)) / seen.length;
  return { examples: actual.length, accuracy: right / actual.length, macroF1, classes, confusion };
}

/** How well values were predicted. */
export interface ValueScores {
  readonly examples: number;
  readonly meanSquaredError: number;
  readonly meanAbsoluteError: number;
  /** The share of the values' variance that is explained; undefined where all values are equal. */
  readonly r2: number | undefined;
}

/** @throws SluiceError `argument` for lengths that differ or none. */
export function valueScores(predicted: ArrayLike<number>, actual: ArrayLike<number>): ValueScores {
  requirePairs(predicted, actual);
  const errors = Array.from(actual, (value, i) => (predicted[i] ?? 0) - value);
  const mean = sum(Array.from(actual)) / actual.length;
  const squares = sum(errors.map((error) => error * error));
  const variance = sum(Array.from(actual, (value) => (value - mean) ** 2));
  return {
    examples: actual.length,
    meanSquaredError: squares / actual.length,
    meanAbsoluteError: sum(errors.map(Math.abs)) / actual.length,
    r2: variance === 0 ? undefined : 1 - squares / variance,
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

function requirePairs(predicted: ArrayLike<number>, actual: ArrayLike<number>): void {
  if (predicted.length === actual.length && actual.length > 0) return;
  throw new SluiceError('argument', {
    rule: 'there is a prediction for each of one example or more',
    received: `${predicted.length} for ${actual.length}`,
    remedy: 'Give both of one length.',
  });
}
