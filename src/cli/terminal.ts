/** Where a command writes: the process's streams, or a test's. */
export interface Terminal {
  /** To standard output, as it is. */
  readonly out: (text: string) => void;
  /** To standard error, as it is. */
  readonly error: (text: string) => void;
  /** Whether a person watches: both streams are terminals. */
  readonly interactive: boolean;
  readonly color: boolean;
  /** Width in characters. */
  readonly columns: number;
}

/** The process's own streams. `NO_COLOR` and `FORCE_COLOR` are honoured. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  const forced = env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0';
  const refused = env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '';
  return {
    out: (text) => {
      stdout.write(text);
    },
    error: (text) => {
      stderr.write(text);
    },
    interactive: stdout.isTTY === true && stderr.isTTY === true,
    color: !refused && (forced || stdout.isTTY === true),
    columns: stdout.columns ?? 100,
  };
}
