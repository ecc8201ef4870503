import { type RandomKey, randomInteger, randomUniform } from '../base/random.js';
import { type Examples, offsetsOf } from './examples.js';

/** Where sequences of one length begin. */
const evenOffsets = (count: number, length: number): Int32Array => offsetsOf(new Int32Array(count).fill(length));

/** An independent key for the second kind of draw. */
const other = ({ k0, k1 }: RandomKey): RandomKey => ({ k0: k1, k1: k0 });

export interface AddingOptions {
  readonly count: number;
  /** Steps of a sequence, from 2 on. */
  readonly length: number;
  readonly key: RandomKey;
}

/**
 * The adding problem: each step has a number, uniform in [0, 1), and a mark, which is 1 at one step of either half and 0
 * at the others; the target is the sum of the two marked numbers. Who always says 1 has a mean squared error of 1/6.
 * Source: Hochreiter and Schmidhuber 1997, section 5.4; marked and scaled as by Le 2015, arXiv:1504.00941.
 */
export function drawAdding({ count, length, key }: AddingOptions): Examples {
  const inputs = new Float32Array(2 * count * length);
  const targets = new Float32Array(count);
  const half = Math.floor(length / 2);
  for (let i = 0; i < count; i++) {
    const start = i * length;
    for (let step = 0; step < length; step++) inputs[2 * (start + step)] = randomUniform(key, start + step);
    const [first, second] = [
      randomInteger(other(key), 2 * i, half),
      half + randomInteger(other(key), 2 * i + 1, length - half),
    ];
    for (const step of [first, second]) {
      const place = 2 * (start + step);
      inputs[place + 1] = 1;
      targets[i] = (targets[i] ?? 0) + (inputs[place] ?? 0);
    }
  }
  return { count, width: 2, inputs, offsets: evenOffsets(count, length), targets };
}

/** The symbols to remember. */
export const copiedSymbols = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const;
/** What a step of the copy task shows: a symbol, nothing, or the sign to begin. */
export const copySigns = [...copiedSymbols, 'blank', 'begin'] as const;
const [blank, begin] = [copySigns.indexOf('blank'), copySigns.indexOf('begin')];

export interface CopyOptions {
  readonly count: number;
  /** How many symbols are to be remembered. */
  readonly symbols: number;
  /** Blank steps between the last symbol and the sign to begin. */
  readonly delay: number;
  readonly key: RandomKey;
}

/** Steps of a sequence of the copy task: the symbols are said from the sign to begin on. */
export const copyLength = ({ symbols, delay }: Pick<CopyOptions, 'symbols' | 'delay'>): number => 2 * symbols + delay;

/**
 * The copy task: symbols, a delay, and a sign to say them again, one a step. Each step is a 1 for its sign among ten 0s; the
 * targets are the symbols, to be said at the last steps. Source: Hochreiter and Schmidhuber 1997; Arjovsky 2016, arXiv:1511.06464.
 */
export function drawCopy({ count, symbols, delay, key }: CopyOptions): Examples {
  const length = copyLength({ symbols, delay });
  const width = copySigns.length;
  const inputs = new Float32Array(count * length * width);
  const targets = Int32Array.from({ length: count * symbols }, (_, i) => randomInteger(key, i, copiedSymbols.length));
  const signAt = (i: number, step: number): number => {
    if (step < symbols) return targets[i * symbols + step] ?? blank;
    return step === symbols + delay ? begin : blank;
  };
  for (let i = 0; i < count; i++) {
    for (let step = 0; step < length; step++) inputs[(i * length + step) * width + signAt(i, step)] = 1;
  }
  return { count, width, inputs, offsets: evenOffsets(count, length), targets, targetWidth: symbols };
}
