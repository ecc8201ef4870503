import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { SluiceError } from '../../base/errors.js';
import { readFully, writeFully } from '../../formats/durable.js';
import { exists, nodeFileSystem, type OpenFile, underRule } from '../../formats/file-system.js';
import { rename } from './files.js';
import { type Answer, networkError, Passing, request, statusError } from './request.js';
import { retrying } from './retry.js';
import type { HubSettings } from './settings.js';

/** A file to fetch, and what its bytes must come to. */
export interface Wanted {
  /** As its model names it, for messages. */
  readonly path: string;
  readonly address: string;
  readonly size: number;
  readonly etag: string;
  /** Where it goes: beside it, under `.incomplete`, is what came so far. */
  readonly blob: string;
}

export interface DownloadOptions {
  readonly hub: HubSettings;
  readonly signal: AbortSignal;
  /** Tries in a row that bring nothing. */
  readonly tries: number;
  /** Seconds before the second try. */
  readonly wait: number;
  /** Seconds without a byte after which a connection is given up. */
  readonly patience: number;
  /** Hears how many bytes of the file are there. */
  readonly tell: (done: number) => void;
}

/** What came of a file before. */
export const incompletePath = (blob: string): string => `${blob}.incomplete`;

/**
 * Fetches a file, going on where an earlier call was cut off, and holds it against its hash before it gets its name.
 * @throws SluiceError `network` for a server that fails again and again or sends other bytes, `filesystem`; what came is
 * then kept for the next call, unless it is wrong.
 */
export async function download(wanted: Wanted, options: DownloadOptions): Promise<void> {
  if (await exists(wanted.blob)) return;
  const incomplete = incompletePath(wanted.blob);
  await underRule(`${incomplete} must be writable`, async () => {
    const file = await nodeFileSystem.open(incomplete, constants.O_RDWR | constants.O_CREAT);
    try {
      await retrying(options, (progressed) => fill(file, wanted, options, progressed));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(incomplete, wanted.blob);
  }).catch(async (error: unknown) => {
    if (error instanceof WrongBytes) await unlink(incomplete).catch(() => undefined);
    throw error instanceof WrongBytes ? error.cause : error;
  });
}

/** Bytes that are not those of the file: nothing of them is kept. */
class WrongBytes extends Error {}

async function fill(file: OpenFile, wanted: Wanted, options: DownloadOptions, progressed: () => void): Promise<void> {
  const { size: there } = await file.stat();
  let at = there;
  if (at > wanted.size) at = await restart(file);
  const isResumed = at > 0;
  if (at < wanted.size) await transfer(file, wanted, options, at, progressed);
  options.tell(wanted.size);
  const hash = await hashOf(file, wanted);
  if (hash === undefined || hash === wanted.etag) return;
  const rule = `${wanted.path} has the hash that the hub lists, ${wanted.etag}`;
  const error = networkError(rule, hash, 'Try again; if it stays so, do not trust the server.');
  // What an earlier call left may be of a broken disk or of another program: once more from the beginning.
  if (!isResumed) throw new WrongBytes(error.message, { cause: error });
  await restart(file);
  throw new Passing(error);
}

async function restart(file: OpenFile): Promise<0> {
  await file.truncate(0);
  return 0;
}

/** Writes what comes from the server behind the first bytes. */
async function transfer(
  file: OpenFile,
  wanted: Wanted,
  options: DownloadOptions,
  from: number,
  progressed: () => void,
): Promise<void> {
  const watch = new Watch(wanted, options);
  try {
    const answer = await watch.over(request(wanted.address, options.hub, { from, signal: watch.signal }));
    let at = await firstByte(file, wanted, answer, from, options.hub);
    for await (const piece of watch.pieces(answer)) {
      if (at + piece.length > wanted.size) throw tooLong(wanted);
      at = await writeFully(file, piece, at);
      progressed();
      options.tell(at);
    }
    if (at < wanted.size) throw cutOff(wanted, `${at} of ${wanted.size} bytes`);
  } finally {
    watch.end();
  }
}

/** Gives up a connection that goes silent, and takes what breaks it for a cut. */
class Watch {
  readonly signal: AbortSignal;
  readonly #stall = new AbortController();
  readonly #wanted: Wanted;
  readonly #options: DownloadOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(wanted: Wanted, options: DownloadOptions) {
    this.#wanted = wanted;
    this.#options = options;
    this.signal = AbortSignal.any([options.signal, this.#stall.signal]);
  }

  async over<T>(waited: Promise<T>): Promise<T> {
    this.end();
    this.#timer = setTimeout(() => this.#stall.abort(), 1000 * this.#options.patience);
    try {
      return await waited;
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (this.#stall.signal.aborted) throw cutOff(this.#wanted, `nothing for ${this.#options.patience} s`);
      if (error instanceof Passing || error instanceof SluiceError) throw error;
      throw cutOff(this.#wanted, error instanceof Error ? error.message : String(error));
    } finally {
      this.end();
    }
  }

  async *pieces({ body }: Answer): AsyncGenerator<Uint8Array> {
    const reader = body?.getReader();
    try {
      for (;;) {
        const { value } = (await (reader === undefined ? undefined : this.over(reader.read()))) ?? {};
        if (value === undefined) return;
        yield value;
      }
    } finally {
      await reader?.cancel().catch(() => undefined);
    }
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Where the answer's bytes go. @throws Passing, SluiceError `network` for an answer without the file. */
async function firstByte(
  file: OpenFile,
  wanted: Wanted,
  answer: Answer,
  from: number,
  { token }: HubSettings,
): Promise<number> {
  const { status } = answer;
  if (status === 200) return from === 0 ? 0 : restart(file);
  if (status === 206 && answer.header('content-range')?.startsWith(`bytes ${from}-`) === true) return from;
  await answer.discard();
  if (from > 0 && (status === 206 || status === 416)) {
    await restart(file);
    throw new Passing(networkError(`${wanted.path} can be resumed`, `status ${status}`, 'Try again.'), 0.001);
  }
  throw statusError(answer, wanted.path, token !== undefined);
}

function tooLong(wanted: Wanted): WrongBytes {
  const remedy = 'Try again; if it stays so, do not trust the server.';
  const cause = networkError(`${wanted.path} has the ${wanted.size} bytes that the hub lists`, 'more', remedy);
  return new WrongBytes(cause.message, { cause });
}

const cutOff = (wanted: Wanted, why: string): Passing =>
  new Passing(
    networkError(`${wanted.path} comes whole`, why, 'Try again: what came is kept, and the rest is fetched.'),
  );

/** The hash of the kind that an etag is; undefined for one that is no hash. */
async function hashOf(file: OpenFile, { etag, size }: Wanted): Promise<string | undefined> {
  const isSha256 = /^[0-9a-f]{64}$/.test(etag);
  if (!isSha256 && !/^[0-9a-f]{40}$/.test(etag)) return undefined;
  const hash = createHash(isSha256 ? 'sha256' : 'sha1');
  if (!isSha256) hash.update(`blob ${size}\0`);
  const piece = new Uint8Array(Math.min(4 * 2 ** 20, size));
  for (let at = 0; at < size; at += piece.length) {
    hash.update(piece.subarray(0, await readFully(file, piece, at)));
  }
  return hash.digest('hex');
}
