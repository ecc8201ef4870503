import { dirname } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { readFully, syncFolder, writeFileAtomically, writeFully } from './durable.js';
import { type FileSystem, nodeFileSystem, type OpenFile, systemErrorCode, underRule } from './file-system.js';

/** A record of one line: numbers and texts by name. */
export type JsonLine = Readonly<Record<string, number | string | boolean | null | undefined>>;

/** The text of a record: NaN and the infinities as strings, which JSON would turn into null. */
const lineOf = (record: JsonLine): string =>
  `${JSON.stringify(record, (_key, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
  )}\n`;

/**
 * Appends records to a file, one JSON object a line. A line is in the file when its promise resolves, so it survives the
 * process; it survives the machine after {@link JsonLinesWriter.sync}. For one writer at a time: hold the run's lock.
 */
export class JsonLinesWriter {
  readonly #file: OpenFile;
  readonly #path: string;
  #size: number;
  #last: Promise<void> = Promise.resolve();

  private constructor(path: string, file: OpenFile, size: number) {
    this.#path = path;
    this.#file = file;
    this.#size = size;
  }

  /** Opens or makes the file; a torn last line, left by a crash, is cut off. Throws `filesystem`. */
  static async open(
    path: string,
    { fs = nodeFileSystem }: { readonly fs?: FileSystem } = {},
  ): Promise<JsonLinesWriter> {
    return underRule(`${path} must be writable`, async () => {
      const file = await openOrMake(fs, path);
      try {
        const { size } = await file.stat();
        const whole = await endOfLastLine(file, size);
        if (whole < size) await file.truncate(whole);
        return new JsonLinesWriter(path, file, whole);
      } catch (error) {
        await file.close().catch(() => undefined);
        throw error;
      }
    });
  }

  /** Adds a line; calls keep their order. Throws `filesystem`; then nothing of the line stays. */
  append(record: JsonLine): Promise<void> {
    const bytes = new TextEncoder().encode(lineOf(record));
    return this.#next(async () => {
      try {
        this.#size = await writeFully(this.#file, bytes, this.#size);
      } catch (error) {
        // Written by position, so the next line overwrites the piece even where this fails.
        await this.#file.truncate(this.#size).catch(() => undefined);
        throw error;
      }
    });
  }

  /** Makes every line so far durable (fsync). */
  sync(): Promise<void> {
    return this.#next(() => this.#file.sync());
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #next(action: () => Promise<void>): Promise<void> {
    const done = this.#last.then(() => underRule(`${this.#path} must be writable`, action));
    this.#last = done.catch(() => undefined);
    return done;
  }
}

async function openOrMake(fs: FileSystem, path: string): Promise<OpenFile> {
  try {
    return await fs.open(path, 'r+');
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    const file = await fs.open(path, 'wx+');
    await syncFolder(fs, dirname(path));
    return file;
  }
}

/** The position after the last line feed. */
async function endOfLastLine(file: OpenFile, size: number): Promise<number> {
  const piece = new Uint8Array(64 * 1024);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - piece.length);
    await readFully(file, piece.subarray(0, end - start), start);
    const at = piece.subarray(0, end - start).lastIndexOf(10);
    if (at >= 0) return start + at + 1;
    end = start;
  }
  return 0;
}

export interface TruncatedMetrics {
  readonly kept: number;
  /** Lines past the step. */
  readonly dropped: number;
  /** Lines that were no JSON object: torn by a crash. */
  readonly torn: number;
}

/**
 * Drops the lines of a metrics file whose `step` is past the resumed one, and torn lines; the file is replaced at once.
 * Lines without a step stay. A missing file has no lines. Throws `filesystem`.
 */
export async function truncateMetrics(
  path: string,
  step: number,
  { fs = nodeFileSystem }: { readonly fs?: FileSystem } = {},
): Promise<TruncatedMetrics> {
  const count = { kept: 0, dropped: 0, torn: 0 };
  if (!(await underRule(`${path} must be readable`, () => exists(fs, path)))) return count;
  await writeFileAtomically(
    path,
    async (sink) => {
      for await (const lines of linesOf(fs, path)) await sink.write(encodeLines(lines, step, count));
    },
    { fs },
  );
  return count;
}

function encodeLines(
  lines: readonly string[],
  step: number,
  count: Record<keyof TruncatedMetrics, number>,
): Uint8Array {
  const kept = lines.filter((line) => {
    const verdict = judge(line, step);
    count[verdict]++;
    return verdict === 'kept';
  });
  return new TextEncoder().encode(kept.map((line) => `${line}\n`).join(''));
}

function judge(line: string, step: number): keyof TruncatedMetrics {
  try {
    const record: unknown = JSON.parse(line);
    if (typeof record !== 'object' || record === null || Array.isArray(record)) return 'torn';
    return 'step' in record && typeof record.step === 'number' && record.step > step ? 'dropped' : 'kept';
  } catch {
    return 'torn';
  }
}

async function exists(fs: FileSystem, path: string): Promise<boolean> {
  try {
    await fs.stat(path);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** The records of a file, in their order; torn lines are passed over. Throws `filesystem`. */
export async function readRecords(
  path: string,
  { fs = nodeFileSystem }: { readonly fs?: FileSystem } = {},
): Promise<JsonLine[]> {
  return underRule(`${path} must be readable`, async () => {
    const records: JsonLine[] = [];
    for await (const lines of linesOf(fs, path)) {
      for (const line of lines)
        if (judge(line, Number.POSITIVE_INFINITY) === 'kept') records.push(JSON.parse(line) as JsonLine);
    }
    return records;
  });
}

const pieceBytes = 2 ** 20;
const mostLineLength = 16 * 2 ** 20;

/** The lines of a file that are not empty, in batches; the last one may lack its line feed. */
async function* linesOf(fs: FileSystem, path: string): AsyncGenerator<string[]> {
  const file = await fs.open(path, 'r');
  try {
    const decoder = new TextDecoder();
    const piece = new Uint8Array(pieceBytes);
    let rest = '';
    for (let position = 0; ; ) {
      const length = await readFully(file, piece, position);
      position += length;
      const lines = (rest + decoder.decode(piece.subarray(0, length), { stream: length > 0 })).split('\n');
      rest = lines.pop() ?? '';
      yield lines.filter((line) => line !== '');
      if (rest.length > mostLineLength) throw tooLong(path, rest.length);
      if (length < piece.length) break;
    }
    if (rest !== '') yield [rest];
  } finally {
    await file.close();
  }
}

const tooLong = (path: string, received: number): SluiceError =>
  new SluiceError('format', {
    rule: `a line of ${path} must not be longer than ${mostLineLength} characters`,
    received,
    remedy: 'Check that the file holds one JSON value on each line.',
  });
