import type { Preparation } from './prepare.js';

/** Work that tells how far it is and ends early when its signal is aborted. */
type Work<T> = (tell: (progress: Preparation) => void, signal: AbortSignal) => Promise<T>;

/**
 * Turns progress callbacks into events while work goes on. A caller that stops listening ends the work, and what it made
 * all the same is discarded.
 */
export async function* during<T>(
  work: Work<T>,
  signal: AbortSignal | undefined,
  discard: (made: T) => Promise<void> | void = () => {},
): AsyncGenerator<{ readonly kind: 'preparing' } & Preparation, T> {
  let latest: Preparation | undefined;
  let wake = (): void => {};
  let isOver = false;
  const left = new AbortController();
  const done = work(
    (progress) => {
      latest = progress;
      wake();
    },
    signal === undefined ? left.signal : AbortSignal.any([signal, left.signal]),
  );
  const end = (): void => {
    isOver = true;
    wake();
  };
  done.then(end, end);
  let isHeard = false;
  try {
    while (!isOver) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      const now = latest;
      latest = undefined;
      if (now !== undefined) yield { kind: 'preparing', ...now };
    }
    isHeard = true;
  } finally {
    left.abort();
    if (!isHeard) await done.then(discard, () => undefined);
  }
  return done;
}
