import { setTimeout as delay } from 'node:timers/promises';
import { Passing } from './request.js';

export interface RetryOptions {
  /** Tries in all that bring nothing. */
  readonly tries: number;
  /** Seconds before the second one; each further wait is twice as long. */
  readonly wait: number;
  readonly signal: AbortSignal;
}

const longestWait = 60;

/**
 * Does what may fail and pass, again after longer and longer waits. Tries that brought something do not count.
 * @param attempt hears how to say that it brought something.
 * @throws what the last try threw.
 */
export async function retrying<T>(
  { tries, wait, signal }: RetryOptions,
  attempt: (progressed: () => void) => Promise<T>,
): Promise<T> {
  let failures = 0;
  for (;;) {
    let hasProgress = false;
    try {
      return await attempt(() => {
        hasProgress = true;
      });
    } catch (error) {
      if (!(error instanceof Passing)) throw error;
      failures = hasProgress ? 1 : failures + 1;
      if (failures >= tries) throw error.reason;
      const seconds = Math.min(longestWait, error.wait ?? wait * 2 ** (failures - 1));
      await delay(1000 * seconds, undefined, { signal });
    }
  }
}
