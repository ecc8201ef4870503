import { SluiceError } from '../base/errors.js';

/** The cause of an error of a device that works and has no kernel for what is asked of it. */
export class MissingKernel extends Error {}

/** Why what `auto` had chosen a device for goes to the next one; undefined for what is wrong on any, or was named. */
export function reasonToFallBack(name: string, error: unknown): string | undefined {
  if (name !== 'auto' || !(error instanceof SluiceError) || !(error.cause instanceof MissingKernel)) return undefined;
  return `Not native: ${error.problem}`;
}
