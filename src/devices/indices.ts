import { SluiceError } from '../base/errors.js';

/** Holds that indices lie within a table: another row's memory must not be read for one that does not. */
export function requireIndices(indices: Iterable<number>, rows: number): void {
  for (const index of indices) {
    if (index >= 0 && index < rows) continue;
    throw new SluiceError('argument', {
      rule: `an index into a table of ${rows} rows is 0 to ${rows - 1}`,
      received: index,
      remedy: 'Are the tokens of another vocabulary?',
    });
  }
}
