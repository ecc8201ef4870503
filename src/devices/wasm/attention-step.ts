import type { Arena } from './arena.js';
import type { ModuleBuilder } from './assembler.js';
import type { AttentionForwardOptions, AttentionOperand } from './attention-options.js';
import { emitFinishRow, emitSoftmaxRow, emitStartRow } from './attention-softmax.js';
import { integers } from './integers.js';
import { matmul } from './matmul.js';
import type { WasmRuntime } from './runtime.js';
import { readWords, writeWords } from './words.js';

const words = ['scores', 'scoresLine', 'count', 'logSumExp'] as const;

/**
 * Attention of one query to a sequence, as when text is generated: each key and value is read but once, so that they
 * are used where they lie. The heads that share a key head are the rows of one product.
 */
export function attentionStep(runtime: WasmRuntime, options: AttentionForwardOptions): void {
  const { arena } = runtime;
  const line = Math.ceil(options.keyLength / 8) * 8;
  const scores = arena.allocate(4 * options.heads * line);
  try {
    attend(runtime, options, scores, line);
  } finally {
    arena.free(scores);
  }
}

/** The same with memory for the scores of each head, `line` numbers apart. */
function attend(runtime: WasmRuntime, options: AttentionForwardOptions, scores: number, line: number): void {
  const { batch, heads, keyValueHeads, headDim, scale, query, key, value, output } = options;
  const { arena, relaxed } = runtime;
  const kernel = runtime.kernel('attention weights', (module) => emitWeights(module, relaxed));
  const group = heads / keyValueHeads;
  const weights = { pointer: scores, batchStride: group * line, rowStride: line, columnStride: 1 };
  for (let item = 0; item < batch; item++) {
    const [begin, end] = keysOf(arena, options, item);
    const count = end - begin;
    const pointer = (operand: AttentionOperand, time = 0) =>
      operand.pointer + 4 * (item * operand.batchStride + time * operand.timeStride);
    const shape = { batch: keyValueHeads, m: group };
    matmul(runtime, {
      ...{ ...shape, n: count, k: headDim, alpha: scale },
      a: {
        ...{ pointer: pointer(query), batchStride: group * query.headStride },
        ...{ rowStride: query.headStride, columnStride: 1 },
      },
      b: { pointer: pointer(key, begin), batchStride: key.headStride, rowStride: 1, columnStride: key.timeStride },
      c: weights,
    });
    const values = { scores, scoresLine: 4 * line, count, logSumExp: options.logSumExp + 4 * item * heads };
    const grain = Math.ceil(4096 / Math.max(1, count));
    runtime.launch(kernel, writeWords(words, values), heads, grain, { scratchBytes: 64 });
    matmul(runtime, {
      ...{ ...shape, n: headDim, k: count },
      a: weights,
      b: {
        pointer: pointer(value, begin),
        batchStride: value.headStride,
        rowStride: value.timeStride,
        columnStride: 1,
      },
      c: { pointer: pointer(output), batchStride: group * output.headStride, rowStride: output.headStride },
    });
  }
}

/** The keys that the one query of a sequence sees, from the first to the one after the last. */
function keysOf({ i32 }: Arena, { keyLength, ranges }: AttentionForwardOptions, item: number): [number, number] {
  if (ranges === undefined) return [0, keyLength];
  const place = ranges / 4 + 2 * item;
  const end = Math.max(0, Math.min(keyLength, i32[place + 1] ?? 0));
  return [Math.min(end, Math.max(0, i32[place] ?? 0)), end];
}

/** Emits the softmax of rows of scores in place. A work item is one row. */
function emitWeights(module: ModuleBuilder, relaxed: boolean): void {
  const softmax = emitSoftmaxRow(module, relaxed);
  const finish = emitFinishRow(module, relaxed);
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const run = f.named('arguments', 'begin', 'end', 'scratch');
  const i = integers(f);
  const { scores, scoresLine, count, logSumExp } = readWords(f, run.arguments, words);
  const { item, row, to, end } = f.locals('i32', 'item', 'row', 'to', 'end');
  f.forRange(item, run.begin, run.end, 1, () => {
    i.set(row, i.add(scores, i.multiply(item, scoresLine)));
    emitStartRow(f, run.scratch);
    i.call(softmax, row, 0, count, i.roundUp(count, 8), run.scratch, 0, 0);
    i.call(finish, run.scratch, i.add(logSumExp, i.multiply(item, 4)));
    i.set(end, i.add(row, i.multiply(count, 4)));
    f.forAddresses(to, row, end, 4, () => {
      f.get(to, to);
      f.load('f32.load');
      f.get(run.scratch);
      f.load('f32.load', 4);
      f.op('f32.mul');
      f.store('f32.store');
    });
  });
}
