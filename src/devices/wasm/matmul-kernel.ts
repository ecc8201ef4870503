import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { integers } from './integers.js';
import type { MatmulLocals, MatmulWord } from './matmul-arguments.js';
import { matmulWords, mode } from './matmul-arguments.js';
import { emitBlock } from './matmul-block.js';
import { emitPack } from './matmul-pack.js';
import type { Tile } from './matmul-tile.js';
import { pushWord, readWords } from './words.js';

type Index = Local<'i32'>;

interface Parts {
  readonly words: MatmulLocals;
  readonly block: FunctionBuilder;
  readonly packA: FunctionBuilder;
  readonly packB: FunctionBuilder;
  readonly tile: Tile;
  readonly arguments: Index;
  readonly begin: Index;
  readonly end: Index;
  readonly item: Index;
  readonly scratch: Index;
}

/** Emits `run` for one shape of tile; `matmulWords` are its arguments, `mode` says what the work items are. */
export function emitMatmul(module: ModuleBuilder, tile: Tile, relaxed: boolean): void {
  const emitted = {
    block: emitBlock(module, tile, relaxed),
    packA: emitPackPlaces(module, tile.rows, { line: 'aRowStride', step: 'aColumnStride', size: 'm', whole: 'packA' }),
    packB: emitPackPlaces(module, 4 * tile.vectors, {
      ...{ line: 'bColumnStride', step: 'bRowStride', size: 'n', whole: 'packB' },
    }),
  };
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const run = f.named('arguments', 'begin', 'end', 'scratch');
  const i = integers(f);
  const words = readWords(f, run.arguments, matmulWords);
  const parts: Parts = { ...emitted, ...run, words, tile, item: f.local('i32') };
  i.when(i.equal(words.mode, mode.pack), () => emitPackItems(f, parts));
  for (const [value, emit] of [
    [mode.multiply, emitMultiplyItem],
    [mode.whole, emitWholeItem],
  ] as const)
    i.when(i.equal(words.mode, value), () => f.forRange(parts.item, run.begin, run.end, 1, () => emit(f, parts)));
}

/**
 * `packPlaces(arguments, matrix, first, last, depth, packed)`: fills places `first` to `last` of the packed panels.
 * Where the matrix is used unpacked, place 0 holds the panel over its edge.
 */
function emitPackPlaces(
  module: ModuleBuilder,
  width: number,
  names: Readonly<Record<'line' | 'step' | 'size' | 'whole', MatmulWord>>,
): FunctionBuilder {
  const pack = emitPack(module, width);
  const f = module.function({ parameters: Array.from({ length: 6 }, () => 'i32' as const) });
  const p = f.named('arguments', 'matrix', 'first', 'last', 'depth', 'packed');
  const line = f.local('i32');
  const i = integers(f);
  const word = (name: MatmulWord) => () => pushWord(f, p.arguments, matmulWords, name);
  const panel = i.choose(word(names.whole), p.first, i.divide(word(names.size), width));
  i.set(line, i.multiply(panel, width));
  i.call(
    pack,
    i.add(p.matrix, i.multiply(line, word(names.line))),
    word(names.line),
    word(names.step),
    i.subtract(word(names.size), line),
    i.subtract(p.last, p.first),
    p.depth,
    i.add(p.packed, i.multiply(p.first, p.depth, 4 * width)),
  );
  return f;
}

/** Places `begin` to `end`, those of A before those of B. */
function emitPackItems(f: FunctionBuilder, { words, arguments: block, begin, end, packA, packB }: Parts): void {
  const { first, last } = f.locals('i32', 'first', 'last');
  const i = integers(f);
  i.set(last, i.least(end, words.aPanels));
  i.when(i.lessThan(begin, last), () => i.call(packA, block, words.a, begin, last, words.k, words.packedA));
  i.set(first, i.subtract(i.most(begin, words.aPanels), words.aPanels));
  i.set(last, i.subtract(end, words.aPanels));
  i.when(i.lessThan(first, last), () => i.call(packB, block, words.b, first, last, words.k, words.packedB));
}

/** One block of C. */
function emitMultiplyItem(f: FunctionBuilder, parts: Parts): void {
  const { words, item, scratch } = parts;
  const i = integers(f);
  i.call(
    parts.block,
    parts.arguments,
    ...blockOperands(f, parts, { ...words, depth: words.k }),
    ...[words.c, words.k],
    i.multiply(i.divide(item, words.columnBlocks), words.blockRows),
    i.multiply(i.remainder(item, words.columnBlocks), words.blockColumns),
    ...[words.blockRows, words.blockColumns, words.accumulate, scratch],
  );
}

/** A whole product of the batch, a slice of `depth` after the other. */
function emitWholeItem(f: FunctionBuilder, parts: Parts): void {
  const { words, tile, item } = parts;
  const width = 4 * tile.vectors;
  const l = f.locals('i32', 'a', 'b', 'c', 'packedA', 'packedB', 'position', 'depth', 'panels');
  const i = integers(f);
  for (const name of ['a', 'b', 'c'] as const)
    i.set(l[name], i.add(words[name], i.multiply(item, words[`${name}BatchStride`])));
  i.set(l.packedA, i.add(parts.scratch, 4 * tile.rows * width));
  f.forRange(l.position, 0, words.k, words.depth, () => {
    i.set(l.depth, i.least(i.subtract(words.k, l.position), words.depth));
    i.set(l.panels, packedPanels(f, words.m, words.packA, tile.rows));
    i.call(parts.packA, parts.arguments, l.a, 0, l.panels, l.depth, l.packedA);
    i.set(l.packedB, i.add(l.packedA, i.multiply(l.panels, l.depth, 4 * tile.rows)));
    i.set(l.panels, packedPanels(f, words.n, words.packB, width));
    i.call(parts.packB, parts.arguments, l.b, 0, l.panels, l.depth, l.packedB);
    i.call(
      parts.block,
      parts.arguments,
      ...blockOperands(f, parts, l),
      ...[l.c, l.depth, 0, 0, words.m, words.n, i.or(words.accumulate, l.position), parts.scratch],
    );
    i.advance(l.a, i.multiply(l.depth, words.aColumnStride));
    i.advance(l.b, i.multiply(l.depth, words.bRowStride));
  });
}

/** How many panels are packed: all, or the one over the edge if there is one. */
function packedPanels(f: FunctionBuilder, size: Index, whole: Index, width: number): () => void {
  const i = integers(f);
  return i.choose(whole, i.parts(size, width), i.notEqual(i.remainder(size, width), 0));
}

type Sources = Readonly<Record<'a' | 'b' | 'packedA' | 'packedB' | 'depth', Index>>;

/** The parameters of a block from `a` to `bEdge`. */
function blockOperands(f: FunctionBuilder, { words, tile }: Parts, from: Sources): readonly (() => void)[] {
  const width = 4 * tile.vectors;
  const i = integers(f);
  /** The panel over the edge follows all full ones, or stands alone. */
  const edge = (packed: Index, size: Index, lines: number, whole: Index) =>
    i.add(packed, i.choose(whole, i.multiply(i.divide(size, lines), from.depth, 4 * lines), 0));
  return [
    i.choose(words.packA, from.packedA, from.a),
    i.choose(words.packA, i.multiply(from.depth, 4 * tile.rows), i.multiply(words.aRowStride, tile.rows)),
    i.choose(words.packA, 4, words.aRowStride),
    i.choose(words.packA, 4 * tile.rows, words.aColumnStride),
    edge(from.packedA, words.m, tile.rows, words.packA),
    i.choose(words.packB, from.packedB, from.b),
    i.choose(words.packB, i.multiply(from.depth, 4 * width), 4 * width),
    i.choose(words.packB, 4 * width, words.bRowStride),
    edge(from.packedB, words.n, width, words.packB),
  ];
}
