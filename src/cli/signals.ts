/** What a process that was ended by a signal exits with. */
const codes = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Runs work that can be interrupted: the first signal aborts it, so that it can save what it has; a second one ends the
 * process at once. Gives the exit code: the signal's, or what the work returns.
 */
export async function withSignals(work: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const controller = new AbortController();
  let code: number | undefined;
  const on = (name: keyof typeof codes) => (): void => {
    if (code !== undefined) process.exit(codes[name]);
    code = codes[name];
    controller.abort();
  };
  const handlers = (Object.keys(codes) as (keyof typeof codes)[]).map((name) => [name, on(name)] as const);
  for (const [name, handler] of handlers) process.on(name, handler);
  try {
    const result = await work(controller.signal);
    return code ?? result;
  } catch (error) {
    if (code !== undefined && controller.signal.aborted && isAbort(error)) return code;
    throw error;
  } finally {
    for (const [name, handler] of handlers) process.off(name, handler);
  }
}

const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';
