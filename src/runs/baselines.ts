import { spawn } from 'node:child_process';
import { trainKneserNey } from '../data/baselines.js';
import type { TokenSource } from '../data/token-source.js';
import { type Tokenizer, tokenByteLengths } from '../data/tokenizer.js';

/** What simpler models of the same held-out text need, in bits per byte. */
export interface Baselines {
  /** Interpolated Kneser-Ney over the same tokens. */
  readonly bigram: number;
  readonly trigram: number;
  /** `xz -9` of the held-out text; undefined where there is no xz. */
  readonly xz: number | undefined;
}

/** Trains and measures the baselines of a run: seconds for a few million tokens. */
export async function measureBaselines(
  tokenizer: Tokenizer,
  training: TokenSource,
  validation: TokenSource,
): Promise<Baselines> {
  const held = await readAll(validation);
  const lengths = tokenByteLengths(tokenizer);
  const bytes = held.reduce((sum, id) => sum + (lengths[id] ?? 0), 0);
  const bitsPerByte = async (order: 2 | 3): Promise<number> => {
    const model = await trainKneserNey(training, { order, vocabularySize: tokenizer.vocabularySize });
    return (await model.evaluate(validation, bytes)).bitsPerByte;
  };
  const [bigram, trigram] = [await bitsPerByte(2), await bitsPerByte(3)];
  const compressed = await compressedLength(new TextEncoder().encode(tokenizer.decode(held)));
  return { bigram, trigram, xz: compressed === undefined ? undefined : (8 * compressed) / bytes };
}

const readAll = async (source: TokenSource): Promise<Uint32Array> =>
  Uint32Array.from(await source.read(0, source.length));

/** Bytes that `xz -9` makes of a text. */
function compressedLength(text: Uint8Array): Promise<number | undefined> {
  return new Promise((resolve) => {
    const xz = spawn('xz', ['-9', '--stdout'], { stdio: ['pipe', 'pipe', 'ignore'] });
    let length = 0;
    xz.stdout.on('data', (piece: Uint8Array) => {
      length += piece.length;
    });
    xz.on('error', () => resolve(undefined));
    xz.on('close', (code) => resolve(code === 0 ? length : undefined));
    xz.stdin.on('error', () => {});
    xz.stdin.end(text);
  });
}
