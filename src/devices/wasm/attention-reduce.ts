import type { ModuleBuilder } from './assembler.js';
import { attentionWords, pushVector, visibleKeys, workspaceAddress } from './attention-arguments.js';
import { backwardLayout, queryBlock } from './attention-layout.js';
import { emitCopyRows, fillZero } from './attention-rows.js';
import { integers } from './integers.js';
import type { Tile } from './matmul-tile.js';
import { readWords } from './words.js';

/**
 * Emits the kernel that adds up the chunks' gradients of the queries, in order, times the scale. A work item is one
 * position of one head.
 */
export function emitAttentionReduce(module: ModuleBuilder, tile: Tile, headDim: number): void {
  const { line } = backwardLayout(tile, headDim);
  const copy = emitCopyRows(module);
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const run = f.named('arguments', 'begin', 'end', 'scratch');
  const i = integers(f);
  const words = readWords(f, run.arguments, attentionWords);
  const l = f.locals(
    'i32',
    ...(['item', 'batch', 'head', 'first', 'chunk', 'chunks', 'sum', 'part', 'to', 'end'] as const),
  );
  const paddedLength = i.multiply(words.queryBlocks, queryBlock(tile));
  f.forRange(l.item, run.begin, run.end, 1, () => {
    i.set(l.first, i.remainder(l.item, words.queryLength));
    i.set(l.head, i.divide(l.item, words.queryLength));
    i.set(l.batch, i.divide(l.head, words.heads));
    i.set(l.head, i.remainder(l.head, words.heads));
    const seen = visibleKeys(f, words, l.first);
    i.set(l.chunks, i.divide(i.subtract(i.add(seen, words.chunkKeys), 1), words.chunkKeys));
    i.when(words.ranges, () => i.set(l.chunks, words.chunks));
    i.set(l.chunk, 0);
    i.set(l.sum, workspaceAddress(f, words, l, paddedLength, line));
    i.set(l.end, i.add(l.sum, line));
    i.when(i.equal(l.chunks, 0), () => fillZero(f, l.sum, line));
    f.forRange(l.chunk, 1, l.chunks, 1, () => {
      i.set(l.part, workspaceAddress(f, words, l, paddedLength, line));
      f.forAddresses(l.to, l.sum, l.end, 16, () => {
        f.get(l.to, l.to);
        f.load('v128.load');
        f.get(l.part);
        f.load('v128.load');
        f.op('f32x4.add');
        f.store('v128.store');
        i.advance(l.part, 16);
      });
    });
    const target = pushVector(f, words, 'queryGradient', { ...l, time: l.first });
    i.call(copy, l.sum, line, 1, words.headDim, words.scale, target, i.multiply(words.headDim, 4), 1);
  });
}
