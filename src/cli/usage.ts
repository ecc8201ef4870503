import { SluiceError } from '../base/errors.js';

/** Wrong usage: something given on the command line or in the environment. The command exits with 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  constructor(reason: string | SluiceError) {
    super(typeof reason === 'string' ? reason : reason.message, typeof reason === 'string' ? {} : { cause: reason });
  }
}

/** Runs what reads the command line: a wrong value, an unknown name or an unreadable text there is wrong usage. */
export function asUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof SluiceError && ['argument', 'name', 'expression', 'shape'].includes(cause.code)) {
      throw new UsageError(cause);
    }
    throw cause;
  }
}

/** As `asUsage`, for what is asynchronous. */
export async function asUsageAsync<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    return asUsage(() => {
      throw cause;
    });
  }
}
