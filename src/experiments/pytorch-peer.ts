import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Milliseconds of a call. */
export interface PeerTime {
  readonly median: number;
  readonly best: number;
}

/** What is asked for: the fields that the module in pytorch/ reads. */
export type PeerCase = Readonly<Record<string, unknown>>;

/**
 * PyTorch in a Python of its own, found by SLUICE_PYTHON: a module of pytorch/ run in one of its ways, `eager` or `out`
 * (writing to tensors that are there). It answers lines of JSON with lines of JSON.
 */
export class PytorchPeer {
  readonly description: string;
  readonly #child: ChildProcess;
  readonly #lines: Interface;

  private constructor(child: ChildProcess, lines: Interface, description: string) {
    this.#child = child;
    this.#lines = lines;
    this.description = description;
  }

  /** Starts it; undefined where SLUICE_PYTHON is not set, or names a Python without PyTorch. */
  static async start(module: string, way: string): Promise<PytorchPeer | undefined> {
    const { SLUICE_PYTHON: python = '' } = process.env;
    if (python === '' || python === 'none') return undefined;
    const file = fileURLToPath(new URL('./pytorch/serve.py', import.meta.url));
    const child = spawn(python, [file, module, way], { stdio: ['pipe', 'pipe', 'ignore'] });
    child.stdin.on('error', () => undefined); // one that ended is found by its answers
    const lines = createInterface({ input: child.stdout });
    try {
      const { description = '', missing } = (await answer(child, lines, { do: 'describe' })) as Description;
      if (missing === undefined) return new PytorchPeer(child, lines, description);
    } catch {
      // No such Python.
    }
    child.kill();
    return undefined;
  }

  /** The time of a case, undefined where PyTorch has no such thing. */
  async measure(item: PeerCase): Promise<PeerTime | undefined> {
    const prepared = await answer(this.#child, this.#lines, { do: 'prepare', item });
    if (prepared === null) return undefined;
    return (await answer(this.#child, this.#lines, { do: 'measure', item })) as PeerTime;
  }

  stop(): void {
    this.#child.kill();
  }
}

interface Description {
  readonly description?: string;
  readonly missing?: string;
}

/** One request at a time. */
function answer(child: ChildProcess, lines: Interface, request: PeerCase): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error('PyTorch ended'));
    for (const event of ['exit', 'error']) child.once(event, ended);
    lines.once('line', (line) => {
      for (const event of ['exit', 'error']) child.off(event, ended);
      const { result, error } = JSON.parse(line) as { result?: unknown; error?: string };
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    });
    child.stdin?.write(`${JSON.stringify(request)}\n`);
  });
}
