/** How far a download is. */
export interface PullProgress {
  /** The file that is being fetched. */
  readonly path: string;
  /** Bytes of all files that are there, those of earlier calls included. */
  readonly done: number;
  readonly total: number;
  /** Of this call, over the last seconds. */
  readonly bytesPerSecond: number;
  readonly secondsLeft: number | undefined;
}

/** Counts bytes and tells of them a few times a second. */
export class Pace {
  readonly #before: number;
  readonly #total: number;
  readonly #onProgress: ((progress: PullProgress) => void) | undefined;
  #finished = 0;
  #current = 0;
  #told = Number.NEGATIVE_INFINITY;
  readonly #marks: { readonly at: number; readonly bytes: number }[] = [];

  constructor(before: number, total: number, onProgress: ((progress: PullProgress) => void) | undefined) {
    this.#before = before;
    this.#total = total;
    this.#onProgress = onProgress;
  }

  /** Bytes that came. */
  get fetched(): number {
    return this.#finished + this.#current;
  }

  /** So many bytes of the file came now. */
  tell(path: string, bytes: number): void {
    this.#current = bytes;
    const now = performance.now();
    if (now - this.#told < 100 && this.fetched + this.#before < this.#total) return;
    this.#told = now;
    this.#marks.push({ at: now, bytes: this.fetched });
    // The last ten seconds: a line that was slow at first is not slow for ever.
    while (this.#marks.length > 2 && now - (this.#marks[0]?.at ?? now) > 10_000) this.#marks.shift();
    const [first = { at: now, bytes: 0 }] = this.#marks;
    const seconds = (now - first.at) / 1000;
    const bytesPerSecond = seconds > 0 ? Math.max(0, (this.fetched - first.bytes) / seconds) : 0;
    const done = this.#before + this.fetched;
    const secondsLeft = bytesPerSecond > 0 ? (this.#total - done) / bytesPerSecond : undefined;
    this.#onProgress?.({ path, done, total: this.#total, bytesPerSecond, secondsLeft });
  }

  finish(bytes: number): void {
    this.#finished += bytes;
    this.#current = 0;
  }
}
