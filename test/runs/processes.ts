import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'bin', 'sluice.js');

/** Children run what is built; `npm test` builds first. */
export function buildIfMissing(): void {
  if (existsSync(join(root, 'dist', 'cli', 'main.js'))) return;
  const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'build.js')], { stdio: 'inherit' });
  if (status !== 0) throw new Error('the build failed');
}

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly error: string;
}

/** `sluice` in a process of its own. */
export class SluiceProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #isOver = false;
  #error = '';

  constructor(args: readonly string[], cwd: string) {
    this.child = spawn(process.execPath, [bin, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    this.child.stdout?.on('data', (piece: Buffer) => {
      out += piece.toString();
    });
    this.child.stderr?.on('data', (piece: Buffer) => {
      this.#error += piece.toString();
    });
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        this.#isOver = true;
        resolve({ code, signal, out, error: this.#error });
      });
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Its standard error so far. */
  get error(): string {
    return this.#error;
  }

  /** Waits until the condition holds, looking often, or the process has ended. */
  async until(condition: () => boolean): Promise<void> {
    while (!this.#isOver && !condition()) await delay(1);
  }

  async kill(signal: 'SIGKILL' | 'SIGINT' | 'SIGTERM'): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** Whether a checkpoint is being written in a run. */
export function isSaving(run: string): boolean {
  try {
    return readdirSync(join(run, 'checkpoints')).some((name) => name.startsWith('.tmp-'));
  } catch {
    return false;
  }
}
