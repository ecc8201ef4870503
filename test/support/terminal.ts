import { run } from '../../src/cli/program.js';
import type { Terminal } from '../../src/cli/terminal.js';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
  /** Standard output as JSON. */
  readonly json: () => unknown;
}

/** Runs a command line in this process, its output caught. */
export async function sluice(args: readonly string[], terminal: Partial<Terminal> = {}): Promise<Ran> {
  let [out, error] = ['', ''];
  const code = await run(
    args,
    {
      out: (text) => {
        out += text;
      },
      error: (text) => {
        error += text;
      },
      interactive: false,
      color: false,
      columns: 80,
      ...terminal,
    },
    '1.2.3',
  );
  return { code, out, error, json: () => JSON.parse(out) };
}
