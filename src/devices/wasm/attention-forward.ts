import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import {
  attentionWords,
  floatOne,
  logSumExpAddress,
  pushVector,
  setJointSpan,
  setSpan,
} from './attention-arguments.js';
import type { ForwardLayout } from './attention-layout.js';
import { forwardLayout, keyBlock, panelWidth, queryBlock } from './attention-layout.js';
import type { AttentionParts } from './attention-parts.js';
import { emitCopyRows, fillZero } from './attention-rows.js';
import { emitFinishRow, emitSoftmaxRow, emitStartRow } from './attention-softmax.js';
import { type Integer, integers } from './integers.js';
import { emitPack } from './matmul-pack.js';
import type { Tile } from './matmul-tile.js';
import { emitTile } from './matmul-tile.js';
import { readWords } from './words.js';

type Names =
  | ('item' | 'batch' | 'head' | 'keyHead' | 'first' | 'rows' | 'begin' | 'end')
  | ('position' | 'keys' | 'row' | 'line' | 'from' | 'count' | 'column' | 'hidden' | 'visible');

interface Parts extends AttentionParts<Names, keyof ForwardLayout['offsets']> {
  readonly softmax: FunctionBuilder;
  readonly finish: FunctionBuilder;
}

/**
 * Emits the forward kernel. A work item is one block of queries of one head; it goes through the keys block by block
 * with an online softmax. Source: Dao et al. 2022, arXiv:2205.14135.
 */
export function emitAttentionForward(module: ModuleBuilder, tile: Tile, relaxed: boolean, headDim: number): void {
  const { line, offsets } = forwardLayout(tile, headDim);
  const emitted = {
    multiply: emitTile(module, tile, relaxed),
    pack: emitPack(module, panelWidth),
    copy: emitCopyRows(module),
    softmax: emitSoftmaxRow(module, relaxed),
    finish: emitFinishRow(module, relaxed),
  };
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const run = f.named('arguments', 'begin', 'end', 'scratch');
  const i = integers(f);
  const words = readWords(f, run.arguments, attentionWords);
  const l: Parts['l'] = f.locals(
    'i32',
    ...(['item', 'batch', 'head', 'keyHead', 'first', 'rows', 'begin', 'end'] as const),
    ...(['position', 'keys', 'row', 'line', 'from', 'count', 'column', 'hidden', 'visible'] as const),
  );
  const places = Object.keys(offsets) as (keyof typeof offsets)[];
  const at = f.locals('i32', ...places);
  for (const name of places) i.set(at[name], i.add(run.scratch, offsets[name]));
  const parts: Parts = { ...emitted, words, l, at, line, tile };
  f.forRange(l.item, run.begin, run.end, 1, () => {
    emitBegin(f, parts);
    f.forRange(l.position, l.begin, l.end, keyBlock, () => emitKeyBlock(f, parts));
    emitEnd(f, parts);
  });
}

/** Which block this is, its queries (times the scale), and empty sums. The blocks that see most keys come first. */
function emitBegin(f: FunctionBuilder, { words, l, at, line, tile, copy }: Parts): void {
  const i = integers(f);
  const size = queryBlock(tile);
  const sequences = i.multiply(words.batch, words.heads);
  i.set(l.first, i.multiply(i.subtract(i.subtract(words.queryBlocks, 1), i.divide(l.item, sequences)), size));
  i.set(l.head, i.remainder(l.item, sequences));
  i.set(l.batch, i.divide(l.head, words.heads));
  i.set(l.head, i.remainder(l.head, words.heads));
  i.set(l.keyHead, i.divide(l.head, words.group));
  i.set(l.rows, i.least(i.subtract(words.queryLength, l.first), size));
  setJointSpan(f, words, { ...l, last: i.add(l.first, l.rows) }, l);
  const source = pushVector(f, words, 'query', { ...l, time: l.first });
  i.set(l.count, i.roundUp(l.rows, tile.rows));
  i.call(copy, source, words.queryTime, l.rows, words.headDim, words.scale, at.queries, line, l.count);
  fillZero(f, at.sums, i.multiply(line, l.count));
  f.forRange(l.row, 0, l.count, 1, () => {
    emitStartRow(f, i.add(at.state, i.multiply(l.row, 8)));
  });
}

/** Takes the keys from `position` on into the sums of all rows that see them. */
function emitKeyBlock(f: FunctionBuilder, parts: Parts): void {
  const { words, l, at, line, tile, multiply, pack, copy, softmax } = parts;
  const i = integers(f);
  const here = { ...l, head: l.keyHead, time: l.position };
  i.set(l.keys, i.least(i.subtract(l.end, l.position), keyBlock));
  const panels = i.parts(l.keys, panelWidth);
  i.call(pack, pushVector(f, words, 'key', here), words.keyTime, 4, l.keys, panels, words.headDim, at.packed);
  const values = pushVector(f, words, 'value', here);
  const whole = i.roundUp(l.keys, panelWidth);
  i.call(copy, values, words.valueTime, l.keys, words.headDim, floatOne, at.values, line, whole);
  f.forRange(l.row, 0, l.rows, tile.rows, () => {
    const here = { ...l, first: i.add(l.first, l.row), last: i.add(l.first, i.least(i.add(l.row, tile.rows), l.rows)) };
    setBlockSpan(f, parts, here);
    i.when(i.lessThan(l.from, l.count), () => {
      const query = i.add(at.queries, i.multiply(l.row, line));
      const sum = i.add(at.sums, i.multiply(l.row, line));
      const scoreLine = 4 * keyBlock;
      const seen = i.subtract(l.count, l.from);
      f.forRange(l.column, l.from, l.count, panelWidth, () => {
        const panel = i.add(at.packed, i.multiply(l.column, words.headDim, 4));
        const score = i.add(at.scores, i.multiply(l.column, 4));
        i.call(multiply, query, line, 4, panel, 4 * panelWidth, score, scoreLine, words.headDim, floatOne, 0);
      });
      const scores = i.add(at.scores, i.multiply(l.from, 4));
      f.forRange(l.line, 0, tile.rows, 1, () => {
        const row = i.add(l.row, l.line);
        const span = { begin: l.hidden, end: l.visible };
        setSpan(f, words, { ...l, position: i.least(i.add(l.first, row), i.subtract(words.queryLength, 1)) }, span);
        for (const bound of [l.hidden, l.visible]) {
          i.set(bound, i.least(i.most(i.subtract(bound, i.add(l.position, l.from)), 0), seen));
        }
        const state = i.add(at.state, i.multiply(row, 8));
        const numbers = i.add(scores, i.multiply(l.line, scoreLine));
        i.call(softmax, numbers, l.hidden, l.visible, seen, state, i.add(at.sums, i.multiply(row, line)), line);
      });
      f.forRange(l.column, 0, line, 4 * panelWidth, () =>
        i.call(
          multiply,
          ...[scores, scoreLine, 4, i.add(at.values, i.multiply(l.from, line), l.column), line],
          ...[i.add(sum, l.column), line, seen, floatOne, 1],
        ),
      );
    });
  });
}

/** Sets `from` and `count` to the keys of the block, in whole panels, that queries `first` to `last` see. */
function setBlockSpan(
  f: FunctionBuilder,
  { words, l }: Parts,
  at: { readonly batch: Local<'i32'>; readonly first: Integer; readonly last: Integer },
): void {
  const i = integers(f);
  setJointSpan(f, words, at, { begin: l.from, end: l.count });
  i.set(l.from, i.and(i.most(i.subtract(l.from, l.position), 0), -panelWidth));
  i.set(l.count, i.roundUp(i.most(i.least(i.subtract(l.count, l.position), l.keys), 0), panelWidth));
}

/** Output rows are the sums over their weights; a row that saw no key is zero. */
function emitEnd(f: FunctionBuilder, { words, l, at, line, copy, finish }: Parts): void {
  const i = integers(f);
  f.forRange(l.row, 0, l.rows, 1, () => {
    const position = i.add(l.first, l.row);
    const state = i.add(at.state, i.multiply(l.row, 8));
    i.call(finish, state, logSumExpAddress(f, words, l, position));
    const output = pushVector(f, words, 'output', { ...l, time: position });
    const sums = i.add(at.sums, i.multiply(l.row, line));
    i.call(copy, sums, line, 1, words.headDim, i.load(state, 4), output, i.multiply(words.headDim, 4), 1);
  });
}
