import { duration } from '../base/units.js';

/** Tells how long equal pieces of work will still take, from those that are done. */
export class Remaining {
  readonly #began = performance.now();

  /** Text for behind a line of progress: nothing before the first piece is done. */
  text(done: number, total: number): string {
    if (done === 0) return '';
    const seconds = ((performance.now() - this.#began) / 1000 / done) * (total - done);
    return `  ${duration(seconds)} left`;
  }
}
