import type { AttentionShape } from '../../kernels/attention.js';
import type { AttentionGradients, AttentionViews, View } from '../device.js';
import { defines, type KernelSource, kernelSource } from './kernel-source.js';
import { resource } from './resource.js';
import { ArgumentWriter, type Launcher } from './runtime.js';

const queries = 64;
/** Bounds of what the kernels have, on any processor. */
const mostKeys = 112;
const mostVector = 64;
const mostSight = 4 * queries; // numbers of what a block of queries sees

/** Numbers that a thread holds of a block of queries. */
const blockNumbers: Readonly<Record<string, (headDim: number) => number>> = {
  attention: (headDim) => 2 * headDim * queries + mostKeys * queries + 4 * queries + mostSight,
  'attention-gradient': (headDim) =>
    3 * headDim * queries + 2 * queries * (headDim + mostVector) + mostKeys * queries + 3 * queries + mostSight,
};
const blockBytes = (file: string, headDim: number): number => 4 * (blockNumbers[file]?.(headDim) ?? 0);

const fewestItems = 16; // of the backward pass, so that threads find work; a fixed number, since it shapes the sums
const mostChunks = 4; // of its keys: each has its own share of the queries' gradients
const stepKeys = 64; // of a chunk when there is one query
const mostStepChunks = 32;
const stepGrain = 16_384; // numbers of keys and values that a thread reads at least
const reduceGrain = 8192;

/**
 * softmax(scale Q K^T) V for every head, without ever holding the scores: memory is linear in length. A query that sees
 * no key gives zeros. The bits do not depend on the number of threads.
 */
export function attentionForward(launcher: Launcher, shape: AttentionShape, views: AttentionViews): void {
  const { batch, heads, queryLength, headDim } = shape;
  if (queryLength === 1) {
    attentionStep(launcher, shape, views);
    return;
  }
  const kernel = kernelOf(launcher, 'attention', headDim);
  const words = wordsOf(shape, views, {});
  const items = batch * heads * Math.ceil(queryLength / queries);
  launcher.launch(kernel, words, items, 1, blockBytes('attention', headDim));
}

/** One query: chunks of the keys, then what they give together. */
function attentionStep(launcher: Launcher, shape: AttentionShape, views: AttentionViews): void {
  const { batch, heads, keyValueHeads, keyLength, headDim } = shape;
  const chunkKeys = stepKeys * Math.max(1, Math.ceil(keyLength / stepKeys / mostStepChunks));
  const chunks = Math.ceil(keyLength / chunkKeys);
  const workspace = launcher.workspace(4 * (batch * heads * chunks * (headDim + 2) + mostVector));
  const words = wordsOf(shape, views, { chunks, chunkKeys, workspace });
  const grain = keyValueHeads * Math.ceil(stepGrain / (2 * chunkKeys * headDim * keyValueHeads));
  const step = kernelOf(launcher, 'attention-step', headDim);
  launcher.launch(step, words, batch * keyValueHeads * chunks, grain, 4 * (chunkKeys + mostVector));
  const join = kernelOf(launcher, 'attention-join', headDim);
  launcher.launch(join, words, batch * heads, Math.ceil(reduceGrain / (Math.max(1, chunks) * headDim)));
}

/**
 * The gradients of `attentionForward`, which has written output and logSumExp. Those of shared key heads are summed over
 * their query heads. The bits do not depend on the number of threads.
 */
export function attentionBackward(
  launcher: Launcher,
  shape: AttentionShape,
  views: AttentionViews,
  gradients: AttentionGradients,
): void {
  const { batch, heads, keyValueHeads, queryLength, keyLength, headDim } = shape;
  const wanted = Math.min(mostChunks, Math.ceil(fewestItems / Math.max(1, batch * keyValueHeads)));
  const chunkKeys = mostKeys * Math.max(1, Math.ceil(keyLength / mostKeys / wanted));
  const chunks = Math.max(1, Math.ceil(keyLength / chunkKeys));
  const rows = batch * heads * queryLength;
  const workspace = chunks === 1 ? 0 : launcher.workspace(4 * chunks * rows * headDim);
  const words = wordsOf(shape, views, { chunks, chunkKeys, workspace }, gradients);
  const sums = 2 * (chunkKeys + mostKeys) * (headDim + mostVector);
  const scratch = blockBytes('attention-gradient', headDim) + 4 * sums;
  const kernel = kernelOf(launcher, 'attention-gradient', headDim);
  launcher.launch(kernel, words, chunks * batch * keyValueHeads, 1, scratch);
  if (chunks === 1) return;
  const reduce = kernelOf(launcher, 'attention-reduce', headDim);
  launcher.launch(reduce, words, rows, Math.ceil(reduceGrain / (chunks * headDim)));
}

interface Chunking {
  readonly chunks?: number;
  readonly chunkKeys?: number;
  readonly workspace?: number;
}

const writer = /* @__PURE__ */ new ArgumentWriter();

/** The words of attention-parts.c. */
function wordsOf(
  shape: AttentionShape,
  { query, key, value, output, logSumExp, ranges }: AttentionViews,
  { chunks = 1, chunkKeys = 0, workspace = 0 }: Chunking,
  gradients?: AttentionGradients,
): Float64Array {
  const { batch, queryLength, keyLength, heads, keyValueHeads, causal, scale } = shape;
  const reach = causal ? keyLength - queryLength + 1 : keyLength;
  const blocks = Math.ceil(queryLength / queries);
  writer.start();
  for (const word of [batch, queryLength, keyLength, heads, keyValueHeads, reach, blocks, chunks, chunkKeys, scale])
    writer.number(word);
  writer.address(logSumExp).number(workspace);
  for (const view of [query, key, value, output]) writeOperand(view);
  const { output: outputGradient = output, query: a = query, key: b = key, value: c = value } = gradients ?? {};
  for (const view of [outputGradient, a, b, c]) writeOperand(view);
  if (ranges === undefined) writer.number(0);
  else writer.address(ranges);
  return writer.words;
}

function writeOperand(view: View): void {
  const [batch = 0, time = 0, head = 0] = view.strides;
  writer.address(view).number(batch).number(time).number(head);
}

const sizesOf = (file: string, headDim: number): Readonly<Record<string, number>> => ({
  ...{ QUERIES: queries, MOST_KEYS: mostKeys, MOST_VECTOR: mostVector },
  ...{ HEAD_DIM: headDim, BLOCK_BYTES: blockBytes(file, headDim) },
});

const kernelOf = (launcher: Launcher, file: string, headDim: number) =>
  launcher.kernel(`${file} ${headDim}`, () => attentionSource(file, headDim));

const attentionSource = (file: string, headDim: number): KernelSource =>
  kernelSource(`sluice_${file.replace('-', '_')}_${headDim}`, (name) =>
    [
      ...[resource('vectors.c'), `#define KERNEL ${name}`, defines(sizesOf(file, headDim))],
      ...[resource('attention-parts.c'), resource(`${file}.c`), '#undef KERNEL', ''],
    ].join('\n'),
  );
