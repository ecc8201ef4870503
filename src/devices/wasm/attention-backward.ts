import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import {
  attentionWords,
  floatOne,
  logSumExpAddress,
  pushVector,
  setJointSpan,
  setSpan,
  workspaceAddress,
} from './attention-arguments.js';
import type { BackwardLayout } from './attention-layout.js';
import { backwardLayout, keyBlock, panelWidth, queryBlock } from './attention-layout.js';
import type { AttentionParts } from './attention-parts.js';
import { emitCopyRows, emitDotRow, emitGradientRow, fillZero } from './attention-rows.js';
import { type Integer, integers } from './integers.js';
import { emitPack } from './matmul-pack.js';
import type { Tile } from './matmul-tile.js';
import { emitTile } from './matmul-tile.js';
import { readWords } from './words.js';

const scoreLine = 4 * keyBlock;

type Index = Local<'i32'>;
type Names =
  | ('item' | 'chunk' | 'batch' | 'keyHead' | 'head' | 'lastHead')
  | ('chunkBegin' | 'chunkEnd' | 'position' | 'keys' | 'keyRow')
  | (
      | 'first'
      | 'rows'
      | 'row'
      | 'line'
      | 'from'
      | 'count'
      | 'column'
      | 'target'
      | 'begin'
      | 'end'
      | 'hidden'
      | 'visible'
    );

interface Parts extends AttentionParts<Names, keyof BackwardLayout['offsets']> {
  readonly dot: FunctionBuilder;
  readonly gradient: FunctionBuilder;
}

/**
 * Emits the backward kernel. A work item is one chunk of the keys of one key head: it goes through its blocks of keys
 * and, for each, through all blocks of queries that see them, in fixed order. Gradients of keys and values are
 * finished here; those of the queries (not yet times the scale) go to the workspace, one part for each chunk.
 * Source: Dao et al. 2022, arXiv:2205.14135, algorithm 4.
 */
export function emitAttentionBackward(module: ModuleBuilder, tile: Tile, relaxed: boolean, headDim: number): void {
  const { line, offsets } = backwardLayout(tile, headDim);
  const emitted = {
    multiply: emitTile(module, tile, relaxed),
    pack: emitPack(module, panelWidth),
    copy: emitCopyRows(module),
    dot: emitDotRow(module),
    gradient: emitGradientRow(module, relaxed),
  };
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const run = f.named('arguments', 'begin', 'end', 'scratch');
  const i = integers(f);
  const words = readWords(f, run.arguments, attentionWords);
  const l: Parts['l'] = f.locals(
    'i32',
    ...(['item', 'chunk', 'batch', 'keyHead', 'head', 'lastHead'] as const),
    ...(['chunkBegin', 'chunkEnd', 'position', 'keys', 'keyRow'] as const),
    ...([
      'first',
      'rows',
      'row',
      'line',
      'from',
      'count',
      'column',
      'target',
      'begin',
      'end',
      'hidden',
      'visible',
    ] as const),
  );
  const places = Object.keys(offsets) as (keyof typeof offsets)[];
  const at = f.locals('i32', ...places);
  for (const name of places) i.set(at[name], i.add(run.scratch, offsets[name]));
  const parts: Parts = { ...emitted, words, l, at, line, tile };
  f.forRange(l.item, run.begin, run.end, 1, () => emitItem(f, parts));
}

function emitItem(f: FunctionBuilder, parts: Parts): void {
  const { words, l, at, line, copy, tile } = parts;
  const i = integers(f);
  const sequences = i.multiply(words.batch, words.keyValueHeads);
  i.set(l.chunk, i.divide(l.item, sequences));
  i.set(l.keyHead, i.remainder(l.item, sequences));
  i.set(l.batch, i.divide(l.keyHead, words.keyValueHeads));
  i.set(l.keyHead, i.remainder(l.keyHead, words.keyValueHeads));
  i.set(l.chunkBegin, i.multiply(l.chunk, words.chunkKeys));
  i.set(l.chunkEnd, i.least(i.add(l.chunkBegin, words.chunkKeys), words.keyLength));
  i.set(l.lastHead, i.multiply(i.add(l.keyHead, 1), words.group));
  i.when(words.ranges, () => emitEmptyQueries(f, parts));
  f.forRange(l.position, l.chunkBegin, l.chunkEnd, keyBlock, () => {
    emitKeys(f, parts);
    i.set(l.begin, i.multiply(l.keyHead, words.group));
    f.forRange(l.head, l.begin, l.lastHead, 1, () =>
      f.forRange(l.first, 0, words.queryLength, queryBlock(tile), () => {
        i.set(l.rows, i.least(i.subtract(words.queryLength, l.first), queryBlock(tile)));
        setJointSpan(f, words, { ...l, last: i.add(l.first, l.rows) }, { begin: l.hidden, end: l.visible });
        const sees = i.lessThan(l.hidden, i.least(l.visible, i.add(l.position, l.keys)));
        i.when(i.and(sees, i.lessThan(l.position, l.visible)), () => {
          emitQueries(f, parts);
          emitScores(f, parts);
          emitKeySums(f, parts);
        });
      }),
    );
    for (const [sums, name] of [
      [at.keySums, 'keyGradient'],
      [at.valueSums, 'valueGradient'],
    ] as const) {
      const target = pushVector(f, words, name, { ...l, head: l.keyHead, time: i.add(l.position, l.row) });
      f.forRange(l.row, 0, l.keys, 1, () => {
        const sum = i.add(sums, i.multiply(l.row, line));
        i.call(copy, sum, line, 1, words.headDim, floatOne, target, i.multiply(words.headDim, 4), 1);
      });
    }
  });
}

/** Zeros in the workspace for every query: with ranges, a query need not see the first keys of a chunk. */
function emitEmptyQueries(f: FunctionBuilder, { words, l, line, tile }: Parts): void {
  const i = integers(f);
  const length = i.multiply(words.queryBlocks, queryBlock(tile));
  i.set(l.first, 0);
  i.set(l.begin, i.multiply(l.keyHead, words.group));
  f.forRange(l.head, l.begin, l.lastHead, 1, () => {
    i.set(l.target, workspaceAddress(f, words, l, length, line));
    fillZero(f, l.target, i.multiply(length, line));
  });
}

/** Packs the block of keys and values, and empties the sums of their gradients. */
function emitKeys(f: FunctionBuilder, { words, l, at, line, pack, copy }: Parts): void {
  const i = integers(f);
  const here = { ...l, head: l.keyHead, time: l.position };
  i.set(l.keys, i.least(i.subtract(l.chunkEnd, l.position), keyBlock));
  const panels = i.parts(l.keys, panelWidth);
  const keys = pushVector(f, words, 'key', here);
  i.call(pack, keys, words.keyTime, 4, l.keys, panels, words.headDim, at.packedKeys);
  const values = pushVector(f, words, 'value', here);
  i.call(pack, values, words.valueTime, 4, l.keys, panels, words.headDim, at.packedValues);
  const whole = i.roundUp(l.keys, panelWidth);
  i.call(copy, keys, words.keyTime, l.keys, words.headDim, floatOne, at.keys, line, whole);
  fillZero(f, at.keySums, keyBlock * line);
  fillZero(f, at.valueSums, keyBlock * line);
}

/** Copies the block of queries (times the scale) and of output gradients; delta = outputGradient . output. */
function emitQueries(f: FunctionBuilder, { words, l, at, line, tile, copy, dot }: Parts): void {
  const i = integers(f);
  const here = { ...l, time: l.first };
  i.set(l.count, i.roundUp(l.rows, tile.rows));
  const queries = pushVector(f, words, 'query', here);
  i.call(copy, queries, words.queryTime, l.rows, words.headDim, words.scale, at.queries, line, l.count);
  const gradients = pushVector(f, words, 'outputGradient', here);
  i.call(copy, gradients, words.outputGradientTime, l.rows, words.headDim, floatOne, at.gradients, line, l.count);
  f.forRange(l.row, 0, l.rows, 1, () => {
    const output = pushVector(f, words, 'output', { ...l, time: i.add(l.first, l.row) });
    const gradient = i.add(at.gradients, i.multiply(l.row, line));
    i.call(dot, gradient, output, words.headDim, i.add(at.deltas, i.multiply(l.row, 4)));
  });
}

/** Weights, gradients of the scores, and what they give to the gradients of the queries. */
function emitScores(f: FunctionBuilder, parts: Parts): void {
  const { words, l, at, line, tile } = parts;
  const i = integers(f);
  i.set(l.target, workspaceAddress(f, words, l, i.multiply(words.queryBlocks, queryBlock(tile)), line));
  f.forRange(l.row, 0, l.rows, tile.rows, () => {
    const square = (base: Index, row: Index) => i.add(base, i.multiply(row, scoreLine));
    const last = i.least(i.add(l.row, tile.rows), l.rows);
    setJointSpan(
      f,
      words,
      { ...l, first: i.add(l.first, l.row), last: i.add(l.first, last) },
      { begin: l.from, end: l.count },
    );
    i.set(l.from, i.and(i.most(i.subtract(l.from, l.position), 0), -panelWidth));
    i.set(l.count, i.roundUp(i.most(i.least(i.subtract(l.count, l.position), l.keys), 0), panelWidth));
    i.when(i.lessThan(l.from, l.count), () => emitRowScores(f, parts, last));
    i.when(i.and(i.notEqual(words.ranges, 0), i.equal(i.lessThan(l.from, l.count), 0)), () => {
      for (const base of [at.weights, at.scores]) {
        i.set(l.begin, square(base, l.row));
        fillZero(f, l.begin, tile.rows * scoreLine);
      }
    });
  });
}

/** The same for the rows of one tile, from `row` to `last`, and the keys of the block from `from` to `count`. */
function emitRowScores(f: FunctionBuilder, { words, l, at, line, multiply, gradient }: Parts, last: Integer): void {
  const i = integers(f);
  const dense = (base: Index) => i.add(base, i.multiply(l.row, line));
  const square = (base: Index, row: Index) => i.add(base, i.multiply(row, scoreLine));
  f.forRange(l.column, l.from, l.count, panelWidth, () => {
    for (const [left, right, out] of [
      [at.queries, at.packedKeys, at.weights],
      [at.gradients, at.packedValues, at.scores],
    ] as const) {
      const panel = i.add(right, i.multiply(l.column, words.headDim, 4));
      const score = i.add(square(out, l.row), i.multiply(l.column, 4));
      i.call(multiply, dense(left), line, 4, panel, 4 * panelWidth, score, scoreLine, words.headDim, floatOne, 0);
    }
  });
  i.set(l.end, last);
  f.forRange(l.line, l.row, l.end, 1, () => {
    const position = i.add(l.first, l.line);
    setSpan(f, words, { ...l, position }, { begin: l.hidden, end: l.visible });
    i.set(l.hidden, i.least(i.most(i.subtract(l.hidden, l.position), 0), l.count));
    i.set(l.visible, i.least(i.most(i.subtract(l.visible, l.position), 0), l.count));
    i.call(
      gradient,
      ...[square(at.weights, l.line), square(at.scores, l.line), l.hidden, l.visible, l.count, keyBlock],
      ...[logSumExpAddress(f, words, l, position), i.add(at.deltas, i.multiply(l.line, 4))],
    );
  });
  f.forRange(l.column, 0, line, 4 * panelWidth, () => {
    const sum = i.add(dense(l.target), l.column);
    const later = i.or(i.notEqual(l.position, l.chunkBegin), i.notEqual(words.ranges, 0));
    const rows = i.add(square(at.scores, l.row), i.multiply(l.from, 4));
    const keys = i.add(at.keys, i.multiply(l.from, line), l.column);
    const seen = i.subtract(l.count, l.from);
    i.call(multiply, rows, scoreLine, 4, keys, line, sum, line, seen, floatOne, later);
  });
}

/** What the queries from the first that sees a key on give to the gradients of the key and its value. */
function emitKeySums(f: FunctionBuilder, { words, l, at, line, tile, multiply }: Parts): void {
  const i = integers(f);
  const unseen = i.subtract(i.add(l.position, l.keyRow, 1), i.add(l.first, words.reach));
  f.forRange(l.keyRow, 0, l.keys, tile.rows, () => {
    i.set(l.begin, i.most(unseen, 0));
    i.when(i.lessThan(l.begin, l.rows), () =>
      f.forRange(l.column, 0, line, 4 * panelWidth, () => {
        for (const [square, dense, sums] of [
          [at.weights, at.gradients, at.valueSums],
          [at.scores, at.queries, at.keySums],
        ] as const) {
          const columns = i.add(square, i.multiply(l.begin, scoreLine), i.multiply(l.keyRow, 4));
          const rows = i.add(dense, i.multiply(l.begin, line), l.column);
          const sum = i.add(sums, i.multiply(l.keyRow, line), l.column);
          const depth = i.subtract(l.rows, l.begin);
          i.call(multiply, columns, 4, scoreLine, rows, line, sum, line, depth, floatOne, 1);
        }
      }),
    );
  });
}
