import { SluiceError } from '../../base/errors.js';

/** Something to do in its turn, once it can be done. */
export interface Task {
  readonly isReady: boolean;
  run(): void;
  /** It will not be run, since something before it has failed. */
  abandon?(error: unknown): void;
}

/** Tasks in the order of their calls: at once while all before are done, else when those before can be done and are. */
export class TaskQueue {
  readonly #waiting: Task[] = [];
  #first = 0;
  #failure: unknown;
  #hasFailed = false;
  #listeners: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  get isEmpty(): boolean {
    return this.#first === this.#waiting.length;
  }

  /** @throws what a task before has failed with. */
  requireWorking(): void {
    if (this.#hasFailed) throw this.#failure;
  }

  push(task: Task): void {
    this.requireWorking();
    this.#waiting.push(task);
    if (this.#waiting.length === this.#first + 1) this.drain();
  }

  /** Does what can be done. */
  drain(): void {
    try {
      while (!this.isEmpty && this.#waiting[this.#first]?.isReady) this.#waiting[this.#first++]?.run();
    } catch (error) {
      this.fail(lateError(error));
    }
    if (!this.isEmpty) return;
    this.#waiting.length = 0;
    this.#first = 0;
    for (const { resolve } of this.#listeners.splice(0)) resolve();
  }

  /** Nothing after a failure is done: it would compute with what is missing. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#hasFailed = true;
    const abandoned = this.#waiting.splice(0).slice(this.#first);
    this.#first = 0;
    for (const task of abandoned) task.abandon?.(error);
    for (const { reject } of this.#listeners.splice(0)) reject(error);
  }

  /** Resolves when all that was pushed is done; rejects with what has failed. */
  settled(): Promise<void> {
    if (this.#hasFailed) return Promise.reject(this.#failure);
    if (this.isEmpty) return Promise.resolve();
    return new Promise((resolve, reject) => this.#listeners.push({ resolve, reject }));
  }
}

/** Of what was not done at once: its caller has gone on, so that it cannot be as if it had not been asked for. */
function lateError(error: unknown): unknown {
  if (!(error instanceof SluiceError)) return error;
  const { code, rule, received } = error;
  const remedy = [error.remedy, 'It was found late, and the native device is lost by it: open it anew.']
    .join(' ')
    .trim();
  return new SluiceError(code as 'device', { rule, received, remedy, cause: error });
}
