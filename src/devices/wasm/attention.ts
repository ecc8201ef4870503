import type { AttentionWord, OperandName } from './attention-arguments.js';
import { attentionWords } from './attention-arguments.js';
import { emitAttentionBackward } from './attention-backward.js';
import { emitAttentionForward } from './attention-forward.js';
import { backwardLayout, forwardLayout, keyBlock, queryBlock } from './attention-layout.js';
import type { AttentionBackwardOptions, AttentionForwardOptions, AttentionOperand } from './attention-options.js';
import { emitAttentionReduce } from './attention-reduce.js';
import { attentionStep } from './attention-step.js';
import type { Tile } from './matmul-tile.js';
import type { WasmRuntime } from './runtime.js';
import { floatBits } from './runtime.js';
import { writeWords } from './words.js';

export type { AttentionBackwardOptions, AttentionForwardOptions, AttentionOperand } from './attention-options.js';

const tile: Tile = { rows: 4, vectors: 2, steps: 1 };
const fewestItems = 16; // of the backward pass, so that threads find work; a fixed number, since it shapes the sums
const mostChunks = 4; // of the keys: each has its own share of the queries' gradients

/**
 * softmax(scale * query @ key^T) @ value for every head, without ever holding the scores: memory is linear in length.
 * A query that sees no key gives zeros. The bits do not depend on the number of threads.
 */
export function attentionForward(runtime: WasmRuntime, options: AttentionForwardOptions): void {
  const { batch, heads, queryLength, headDim } = options;
  if (queryLength === 1) {
    attentionStep(runtime, options);
    return;
  }
  const kernel = runtime.kernel(`attention forward ${headDim}`, (module) =>
    emitAttentionForward(module, tile, runtime.relaxed, headDim),
  );
  const queryBlocks = Math.ceil(queryLength / queryBlock(tile));
  const words = wordsOf(options, { queryBlocks });
  const scratchBytes = forwardLayout(tile, headDim).bytes;
  runtime.launch(kernel, words, batch * heads * queryBlocks, 1, { scratchBytes });
}

/**
 * The gradients of `attentionForward`, which has written `output` and `logSumExp`. Those of shared key heads are summed
 * over their query heads. The bits do not depend on the number of threads.
 */
export function attentionBackward(runtime: WasmRuntime, options: AttentionBackwardOptions): void {
  const { batch, heads, keyValueHeads, queryLength, keyLength, headDim } = options;
  const { relaxed } = runtime;
  const backward = runtime.kernel(`attention backward ${headDim}`, (module) =>
    emitAttentionBackward(module, tile, relaxed, headDim),
  );
  const reduce = runtime.kernel(`attention reduce ${headDim}`, (module) => emitAttentionReduce(module, tile, headDim));
  const { line, bytes } = backwardLayout(tile, headDim);
  const queryBlocks = Math.ceil(queryLength / queryBlock(tile));
  const wanted = Math.min(mostChunks, Math.ceil(fewestItems / Math.max(1, batch * keyValueHeads)));
  const chunkKeys = keyBlock * Math.max(1, Math.ceil(Math.ceil(keyLength / keyBlock) / wanted));
  const chunks = Math.ceil(keyLength / chunkKeys);
  const workspace = runtime.workspace(chunks * batch * heads * queryBlocks * queryBlock(tile) * line);
  const words = wordsOf(options, {
    ...{ queryBlocks, chunks, chunkKeys, workspace },
    ...operandWords('outputGradient', options.outputGradient),
    ...operandWords('queryGradient', options.queryGradient),
    ...operandWords('keyGradient', options.keyGradient),
    ...operandWords('valueGradient', options.valueGradient),
  });
  runtime.launch(backward, words, chunks * batch * keyValueHeads, 1, { scratchBytes: bytes });
  const rows = batch * heads * queryLength;
  runtime.launch(reduce, words, rows, Math.ceil(8192 / headDim));
}

function wordsOf(options: AttentionForwardOptions, more: Partial<Record<AttentionWord, number>>): number[] {
  const { batch, queryLength, keyLength, heads, keyValueHeads, headDim, causal } = options;
  return writeWords(attentionWords, {
    ...{ batch, queryLength, keyLength, heads, keyValueHeads, headDim },
    group: heads / keyValueHeads,
    reach: causal ? keyLength - queryLength + 1 : keyLength,
    ranges: options.ranges ?? 0,
    scale: floatBits(options.scale),
    logSumExp: options.logSumExp,
    ...operandWords('query', options.query),
    ...operandWords('key', options.key),
    ...operandWords('value', options.value),
    ...operandWords('output', options.output),
    ...more,
  });
}

function operandWords(name: OperandName, operand: AttentionOperand): Partial<Record<AttentionWord, number>> {
  return {
    [name]: operand.pointer,
    [`${name}Batch`]: 4 * operand.batchStride,
    [`${name}Time`]: 4 * operand.timeStride,
    [`${name}Head`]: 4 * operand.headStride,
  };
}
