import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';
import { type RandomKey, randomInteger } from '../base/random.js';
import type { TokenSource } from './token-source.js';

/** The target of a position that counts for nothing, as in PyTorch's cross entropy. */
export const ignoreIndex = -100;

/** Windows of text, row by row: `inputs` and `targets` have shape [batch, context]; targets are one token ahead. */
export interface Batch {
  readonly batch: number;
  readonly context: number;
  readonly inputs: Int32Array;
  readonly targets: Int32Array;
}

export interface BatchShape {
  readonly batch: number;
  readonly context: number;
}

export interface SampleOptions extends BatchShape {
  readonly key: RandomKey;
  /** The step, or the number of the micro-batch when gradients are accumulated. */
  readonly step: number;
}

/**
 * Random windows, with replacement: row r of step s starts where draw s · batch + r of the key says, so a batch depends
 * on key and step alone. Errors ('data'): a text shorter than a window of context + 1 tokens.
 */
export async function sampleBatch(source: TokenSource, options: SampleOptions): Promise<Batch> {
  const { batch, context, key, step } = options;
  requireShape(options);
  requireWindow(source, context);
  const inputs = new Int32Array(batch * context);
  const targets = new Int32Array(batch * context);
  await Promise.all(
    Array.from({ length: batch }, async (_, row) => {
      const start = randomInteger(key, step * batch + row, source.length - context);
      const window = await source.read(start, context + 1);
      inputs.set(window.subarray(0, context), row * context);
      targets.set(window.subarray(1), row * context);
    }),
  );
  return { batch, context, inputs, targets };
}

/** How a text is read in order by rows that each have a stretch of it. */
export interface StreamShape extends BatchShape {
  /** Rows that share the text in all; those of the batch are `first` to `first + batch`. */
  readonly rows: number;
  readonly first: number;
}

/** A batch of windows that go on where those of the step before ended, but for the first of a pass over the text. */
export interface StreamBatch extends Batch {
  readonly isFirst: boolean;
}

/**
 * Windows in order: each row has its own stretch of the text and reads one window of it a step. A pass begins somewhere
 * in the stretch, so that windows are cut elsewhere; where is decided by the key. Errors ('data'): a text too short to
 * give each row a window.
 */
export async function streamBatch(
  source: TokenSource,
  { batch, context, rows, first, key, step }: StreamShape & SampleOptions,
): Promise<StreamBatch> {
  requireStreams(source, context, rows);
  const stretch = Math.floor((source.length - 1) / rows);
  const windows = Math.floor(stretch / context);
  const [pass, window] = [Math.floor(step / windows), step % windows];
  const begin = randomInteger(key, pass, stretch - windows * context + 1) + window * context;
  const inputs = new Int32Array(batch * context);
  const targets = new Int32Array(batch * context);
  await Promise.all(
    Array.from({ length: batch }, async (_, row) => {
      const tokens = await source.read((first + row) * stretch + begin, context + 1);
      inputs.set(tokens.subarray(0, context), row * context);
      targets.set(tokens.subarray(1), row * context);
    }),
  );
  return { batch, context, inputs, targets, isFirst: window === 0 };
}

/** Holds that a source has a window for each row that reads its own stretch. Errors ('data'). */
export function requireStreams(source: TokenSource, context: number, rows: number): void {
  if (source.length > rows * context) return;
  throw new SluiceError('data', {
    rule: `A text that ${rows} rows of ${context} tokens read in order must have at least ${rows * context + 1} tokens`,
    received: plural(source.length, 'token'),
    remedy: 'Use a longer text, or a smaller batch or context.',
  });
}

/** Holds that a source has a window of context + 1 tokens to train on. Errors ('data'). */
export function requireWindow(source: TokenSource, context: number): void {
  if (source.length <= context) throw tooShortForContext(context, source.length);
}

/** The error of a text that is shorter than a window; `bound` stands before a length that is not exact. */
export function tooShortForContext(context: number, length: number, bound = ''): SluiceError {
  return new SluiceError('data', {
    rule: `A text must have at least ${context + 1} tokens for a context of ${context}`,
    received: `${bound}${plural(length, 'token')}`,
    remedy: `Use a longer text${length > 1 ? `, or a context of ${bound}${length - 1}` : ''}.`,
  });
}

/** Holds that a source has a token to predict. Errors ('data'). */
export function requireTargets(source: TokenSource): void {
  if (source.length > 1) return;
  throw new SluiceError('data', {
    rule: 'A text to evaluate must have at least 2 tokens',
    received: plural(source.length, 'token'),
    remedy: 'Use a longer text.',
  });
}

function requireShape(shape: BatchShape): void {
  for (const [name, value] of [
    ['batch', shape.batch],
    ['context', shape.context],
  ] as const) {
    if (Number.isInteger(value) && value > 0) continue;
    throw new SluiceError('argument', {
      rule: `The ${name} must be a positive integer`,
      received: value,
      remedy: 'Try batch 8 and context 128.',
    });
  }
}

export interface SequentialOptions extends BatchShape {
  /** Stop after this many targets (rounded up to whole windows); all by default. */
  readonly maximumTokens?: number;
}

/** A batch of an evaluation; `tokens` of its targets are not ignored. */
export interface SequentialBatch extends Batch {
  readonly tokens: number;
}

/**
 * Windows side by side, for evaluation: every token but the first is a target exactly once. All batches have the same
 * shape; where the text ends, inputs are 0 and targets `ignoreIndex`. Errors ('data'): fewer than two tokens.
 */
export async function* sequentialBatches(
  source: TokenSource,
  options: SequentialOptions,
): AsyncGenerator<SequentialBatch> {
  const { batch, context } = options;
  requireShape(options);
  requireTargets(source);
  const all = source.length - 1;
  const end = Math.min(all, Math.ceil((options.maximumTokens ?? all) / context) * context);
  for (let start = 0; start < end; start += batch * context) {
    const tokens = Math.min(end - start, batch * context);
    const stretch = await source.read(start, tokens + 1);
    const inputs = new Int32Array(batch * context);
    const targets = new Int32Array(batch * context).fill(ignoreIndex);
    inputs.set(stretch.subarray(0, tokens));
    targets.set(stretch.subarray(1));
    yield { batch, context, inputs, targets, tokens };
  }
}

/**
 * As `sequentialBatches`, with windows in order: each row has its own stretch of the text, and goes on where it was in
 * the batch before.
 */
export async function* streamedBatches(
  source: TokenSource,
  { batch, context, maximumTokens }: SequentialOptions,
): AsyncGenerator<SequentialBatch> {
  requireShape({ batch, context });
  requireTargets(source);
  const all = Math.min(source.length - 1, maximumTokens ?? source.length);
  const stretch = Math.ceil(all / batch);
  for (let start = 0; start < stretch; start += context) {
    const inputs = new Int32Array(batch * context);
    const targets = new Int32Array(batch * context).fill(ignoreIndex);
    let tokens = 0;
    for (let row = 0; row < batch; row++) {
      const from = row * stretch + start;
      const count = Math.min(context, stretch - start, all - from);
      if (count <= 0) continue;
      const window = await source.read(from, count + 1);
      inputs.set(window.subarray(0, count), row * context);
      targets.set(window.subarray(1), row * context);
      tokens += count;
    }
    yield { batch, context, inputs, targets, tokens };
  }
}

/** The bytes of text that a batch's targets stand for; `byteLengths` from `tokenByteLengths(tokenizer)`. */
export function targetBytes(targets: Int32Array, byteLengths: Int32Array): number {
  let bytes = 0;
  for (const target of targets) bytes += byteLengths[target] ?? 0;
  return bytes;
}
