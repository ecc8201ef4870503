import { SluiceError } from '../base/errors.js';

/** More threads than any device has a use for. */
export const mostThreads = 1024;

/** @throws SluiceError `argument` for a number of threads that no device takes. */
export function checkThreads(threads: number | undefined): void {
  if (threads === undefined || (Number.isInteger(threads) && threads >= 1 && threads <= mostThreads)) return;
  throw new SluiceError('argument', {
    rule: `threads is a whole number from 1 to ${mostThreads}`,
    received: threads,
    remedy: 'Leave it out for one thread for each core.',
  });
}
