/** Where this file's room is, so that frames of the library can be told from the caller's. */
const library = import.meta.url.replace(/tensor\/call-site\.[jt]s.*$/, '').replace(/^file:\/\//, '');

const location = /((?:[a-z-]+:\/\/)?[^\s()@]+:\d+:\d+)\)?$/;

/**
 * The first line of a stack that is not in the library, as `file:line:column`. Take the Error where it is cheap and
 * ask for the line when there is something to say: engines format stacks when they are read.
 */
export function callSite(error: Error): string {
  // Between the library's frames and an async caller's stand the engine's own.
  const places = (error.stack ?? '')
    .split('\n')
    .flatMap((line) => location.exec(line.trim())?.[1] ?? [])
    .filter((place) => !place.startsWith('node:'));
  const outside = places.find((place) => !place.replace(/^file:\/\//, '').startsWith(library));
  return (outside ?? places.at(-1) ?? 'an unknown line').replace(/^file:\/\//, '');
}

/** The stack as it is now, deep enough to reach the caller's code through the library's. */
export function captureSite(): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 30;
  const captured = new Error('here');
  Error.stackTraceLimit = limit;
  return captured;
}
