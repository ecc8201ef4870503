import type { ModuleBuilder } from './assembler.js';
import type { Exponential } from './attention-exponential.js';
import type { AttentionForwardOptions } from './attention-options.js';
import { emitSoftmaxRow, lowestMaximum } from './attention-rows.js';
import { integers } from './integers.js';
import { matmul } from './matmul.js';
import type { WasmRuntime } from './runtime.js';
import { readWords, writeWords } from './words.js';

const words = ['scores', 'scoresLine', 'count', 'statistics'] as const;

/**
 * Attention of one query to a sequence, as when text is generated: each key and value is read but once, so that they
 * are used where they lie. The heads that share a key head are the rows of one product.
 */
export function attentionStep(runtime: WasmRuntime, options: AttentionForwardOptions, exponential: Exponential): void {
  const { batch, keyLength, heads, keyHeads, headDim, query, key, value, output } = options;
  const kernel = runtime.kernel(`attention weights ${exponential.name}`, (module) => emitWeights(module, exponential));
  const group = heads / keyHeads;
  const line = Math.ceil(keyLength / 8) * 8;
  const scores = runtime.arena.allocate(4 * heads * line);
  for (let item = 0; item < batch; item++) {
    const counted = options.keyLengths === undefined ? keyLength : runtime.arena.i32[options.keyLengths / 4 + item];
    const count = Math.max(0, Math.min(keyLength, counted ?? keyLength));
    const pointer = (operand: { pointer: number; batchStride: number }) =>
      operand.pointer + 4 * item * operand.batchStride;
    const shape = { batch: keyHeads, m: group };
    const weights = { pointer: scores, batchStride: group * line, rowStride: line, columnStride: 1 };
    matmul(runtime, {
      ...{ ...shape, n: count, k: headDim, alpha: options.scale ?? 1 / Math.sqrt(headDim) },
      a: {
        ...{ pointer: pointer(query), batchStride: group * query.headStride },
        ...{ rowStride: query.headStride, columnStride: 1 },
      },
      b: { pointer: pointer(key), batchStride: key.headStride, rowStride: 1, columnStride: key.timeStride },
      c: weights,
    });
    const statistics = options.statistics + 8 * item * heads;
    const values = { scores, scoresLine: 4 * line, count, statistics };
    runtime.launch(kernel, writeWords(words, values), heads, Math.ceil(4096 / Math.max(1, count)));
    matmul(runtime, {
      ...{ ...shape, n: headDim, k: count },
      a: weights,
      b: { pointer: pointer(value), batchStride: value.headStride, rowStride: value.timeStride, columnStride: 1 },
      c: { pointer: pointer(output), batchStride: group * output.headStride, rowStride: output.headStride },
    });
  }
  runtime.arena.free(scores);
}

/** Emits the softmax of rows of scores in place. A work item is one row. */
function emitWeights(module: ModuleBuilder, exponential: Exponential): void {
  const softmax = emitSoftmaxRow(module, exponential);
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const run = f.named('arguments', 'begin', 'end', 'scratch');
  const i = integers(f);
  const { scores, scoresLine, count, statistics } = readWords(f, run.arguments, words);
  const { item, row, state, to, end } = f.locals('i32', 'item', 'row', 'state', 'to', 'end');
  const reciprocal = f.local('f32');
  f.forRange(item, run.begin, run.end, 1, () => {
    i.set(row, i.add(scores, i.multiply(item, scoresLine)));
    i.set(state, i.add(statistics, i.multiply(item, 8)));
    i.push(state);
    f.f32(lowestMaximum);
    f.store('f32.store');
    i.push(state);
    f.f32(0);
    f.store('f32.store', 4);
    i.call(softmax, row, count, i.roundUp(count, 8), state, 0, 0);
    f.f32(1);
    i.push(state);
    f.load('f32.load', 4);
    f.op('f32.div');
    f.set(reciprocal);
    f.get(state, reciprocal);
    f.f32(0);
    f.get(count);
    f.op('select');
    f.store('f32.store', 4);
    i.set(end, i.add(row, i.multiply(count, 4)));
    f.forAddresses(to, row, end, 4, () => {
      f.get(to, to);
      f.load('f32.load');
      f.get(reciprocal);
      f.op('f32.mul');
      f.store('f32.store');
    });
  });
}
