import { SluiceError } from '../base/errors.js';

/** Steps without a finite gradient before training stops. */
const mostSkips = 10;

/** Watches whether training stays finite. */
export class Divergence {
  #skips = 0;

  /**
   * What a step's record says of it: `skipped` where the update was left out.
   * @throws SluiceError `diverged` after ten steps in a row without a finite loss and gradient.
   */
  check(step: number, loss: number, gradientNorm: number): { skipped?: true } {
    if (Number.isFinite(loss) && gradientNorm < 3e38) {
      this.#skips = 0;
      return {};
    }
    this.#skips++;
    if (this.#skips >= mostSkips) {
      throw new SluiceError('diverged', {
        rule: `training stops after ${mostSkips} steps in a row without a finite loss and gradient`,
        received: { step, loss: String(loss), gradientNorm: String(gradientNorm) },
        remedy: 'The weights are as before the first of them. Lower lr, lengthen warmup, or set clip to 1.',
      });
    }
    return { skipped: true };
  }
}
