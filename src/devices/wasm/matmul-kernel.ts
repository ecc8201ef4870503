import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import type { MatmulLocals, MatmulWord } from './matmul-arguments.js';
import { matmulWords, mode } from './matmul-arguments.js';
import { emitBlock } from './matmul-block.js';
import { emitPack, pushAddress, pushLeast } from './matmul-pack.js';
import type { Tile } from './matmul-tile.js';
import { pushWord, readWords } from './words.js';

type Index = Local<'i32'>;

interface Parts {
  readonly block: FunctionBuilder;
  readonly packA: FunctionBuilder;
  readonly packB: FunctionBuilder;
  readonly tile: Tile;
}

/** Emits `run` for one shape of tile; `matmulWords` are its arguments, `mode` says what the work items are. */
export function emitMatmul(module: ModuleBuilder, tile: Tile, relaxed: boolean): void {
  const width = 4 * tile.vectors;
  const parts: Parts = {
    block: emitBlock(module, tile, relaxed),
    packA: emitPackPlaces(module, tile.rows, { line: 'aRowStride', step: 'aColumnStride', size: 'm', whole: 'packA' }),
    packB: emitPackPlaces(module, width, { line: 'bColumnStride', step: 'bRowStride', size: 'n', whole: 'packB' }),
    tile,
  };
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const run = f.named('arguments', 'begin', 'end', 'scratch');
  const words = readWords(f, run.arguments, matmulWords);
  const item = f.local('i32');
  const all = { ...parts, ...run, item };
  const when = (value: number, then: () => void) => {
    f.get(words.mode);
    f.i32(value);
    f.op('i32.eq');
    f.if(then);
  };
  const each = (then: () => void) => () => f.forRange(item, run.begin, run.end, 1, then);
  when(mode.pack, () => emitPackItems(f, words, all, run.begin, run.end));
  when(
    mode.multiply,
    each(() => emitMultiplyItem(f, words, all)),
  );
  when(
    mode.whole,
    each(() => emitWholeItem(f, words, all)),
  );
}

interface ItemParts extends Parts {
  readonly arguments: Index;
  readonly item: Index;
  readonly scratch: Index;
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
  f.get(p.first);
  pushWord(f, p.arguments, matmulWords, names.size);
  f.i32(width);
  f.op('i32.div_u');
  pushWord(f, p.arguments, matmulWords, names.whole);
  f.op('select');
  f.i32(width);
  f.op('i32.mul');
  f.set(line);
  f.get(p.matrix, line);
  pushWord(f, p.arguments, matmulWords, names.line);
  f.op('i32.mul', 'i32.add');
  pushWord(f, p.arguments, matmulWords, names.line);
  pushWord(f, p.arguments, matmulWords, names.step);
  pushWord(f, p.arguments, matmulWords, names.size);
  f.get(line);
  f.op('i32.sub');
  f.get(p.last, p.first);
  f.op('i32.sub');
  f.get(p.depth, p.packed, p.first, p.depth);
  f.i32(4 * width);
  f.op('i32.mul', 'i32.mul', 'i32.add');
  f.call(pack);
  return f;
}

/** Places `begin` to `end`, those of A before those of B. */
function emitPackItems(f: FunctionBuilder, words: MatmulLocals, parts: ItemParts, begin: Index, end: Index): void {
  const { first, last } = f.locals('i32', 'first', 'last');
  pushLeast(f, end, words.aPanels);
  f.set(last);
  f.get(begin, last);
  f.op('i32.lt_s');
  f.if(() => {
    f.get(parts.arguments, words.a, begin, last, words.k, words.packedA);
    f.call(parts.packA);
  });
  f.get(begin, words.aPanels, begin, words.aPanels);
  f.op('i32.gt_s', 'select');
  f.set(first);
  f.get(first, end);
  f.op('i32.lt_s');
  f.if(() => {
    f.get(parts.arguments, words.b, first, words.aPanels);
    f.op('i32.sub');
    f.get(end, words.aPanels);
    f.op('i32.sub');
    f.get(words.k, words.packedB);
    f.call(parts.packB);
  });
}

/** One block of C. */
function emitMultiplyItem(f: FunctionBuilder, words: MatmulLocals, parts: ItemParts): void {
  f.get(parts.arguments);
  pushOperands(f, words, parts.tile, { ...words, depth: words.k });
  f.get(words.c, words.k);
  for (const [op, size] of [
    ['i32.div_u', words.blockRows],
    ['i32.rem_u', words.blockColumns],
  ] as const) {
    f.get(parts.item, words.columnBlocks);
    f.op(op);
    f.get(size);
    f.op('i32.mul');
  }
  f.get(words.blockRows, words.blockColumns, words.accumulate, parts.scratch);
  f.call(parts.block);
}

/** A whole product of the batch, a slice of `depth` after the other. */
function emitWholeItem(f: FunctionBuilder, words: MatmulLocals, parts: ItemParts): void {
  const { tile, item } = parts;
  const l = f.locals('i32', 'a', 'b', 'c', 'packedA', 'packedB', 'position', 'depth', 'panels');
  for (const name of ['a', 'b', 'c'] as const) {
    pushAddress(f, words[name], item, words[`${name}BatchStride`]);
    f.set(l[name]);
  }
  f.get(parts.scratch);
  f.i32(16 * tile.rows * tile.vectors);
  f.op('i32.add');
  f.set(l.packedA);
  f.forRange(l.position, 0, words.k, words.depth, () => {
    f.get(words.k, l.position);
    f.op('i32.sub');
    f.set(l.depth);
    pushLeast(f, l.depth, words.depth);
    f.set(l.depth);
    pushPanels(f, words.m, words.packA, tile.rows);
    f.set(l.panels);
    f.get(parts.arguments, l.a);
    f.i32(0);
    f.get(l.panels, l.depth, l.packedA);
    f.call(parts.packA);
    f.get(l.packedA, l.panels, l.depth);
    f.i32(4 * tile.rows);
    f.op('i32.mul', 'i32.mul', 'i32.add');
    f.set(l.packedB);
    f.get(parts.arguments, l.b);
    f.i32(0);
    pushPanels(f, words.n, words.packB, 4 * tile.vectors);
    f.get(l.depth, l.packedB);
    f.call(parts.packB);
    f.get(parts.arguments);
    pushOperands(f, words, tile, l);
    f.get(l.c, l.depth);
    f.i32(0);
    f.i32(0);
    f.get(words.m, words.n, words.accumulate, l.position);
    f.op('i32.or');
    f.get(parts.scratch);
    f.call(parts.block);
    pushAddress(f, l.a, l.depth, words.aColumnStride);
    f.set(l.a);
    pushAddress(f, l.b, l.depth, words.bRowStride);
    f.set(l.b);
  });
}

/** Pushes how many panels are packed: all, or the one over the edge if there is one. */
function pushPanels(f: FunctionBuilder, size: Index, whole: Index, width: number): void {
  f.get(size);
  f.i32(width - 1);
  f.op('i32.add');
  f.i32(width);
  f.op('i32.div_u');
  f.get(size);
  f.i32(width);
  f.op('i32.rem_u');
  f.i32(0);
  f.op('i32.ne');
  f.get(whole);
  f.op('select');
}

type Sources = Readonly<Record<'a' | 'b' | 'packedA' | 'packedB' | 'depth', Index>>;

/** Pushes the parameters of a block from `a` to `bEdge`. */
function pushOperands(f: FunctionBuilder, words: MatmulLocals, tile: Tile, from: Sources): void {
  const width = 4 * tile.vectors;
  const choose = (whole: Index, packed: () => void, unpacked: () => void) => {
    packed();
    unpacked();
    f.get(whole);
    f.op('select');
  };
  const scaled = (local: Index, factor: number) => () => {
    f.get(local);
    f.i32(factor);
    f.op('i32.mul');
  };
  const constant = (value: number) => () => f.i32(value);
  const push = (local: Index) => () => f.get(local);
  /** The panel over the edge follows all full ones, or stands alone. */
  const edge = (packed: Index, size: Index, lines: number, whole: Index) => {
    f.get(packed, size);
    f.i32(lines);
    f.op('i32.div_u');
    scaled(from.depth, 4 * lines)();
    f.op('i32.mul');
    f.i32(0);
    f.get(whole);
    f.op('select', 'i32.add');
  };
  choose(words.packA, push(from.packedA), push(from.a));
  choose(words.packA, scaled(from.depth, 4 * tile.rows), scaled(words.aRowStride, tile.rows));
  choose(words.packA, constant(4), push(words.aRowStride));
  choose(words.packA, constant(4 * tile.rows), push(words.aColumnStride));
  edge(from.packedA, words.m, tile.rows, words.packA);
  choose(words.packB, push(from.packedB), push(from.b));
  choose(words.packB, scaled(from.depth, 4 * width), constant(4 * width));
  choose(words.packB, constant(4 * width), push(words.bRowStride));
  edge(from.packedB, words.n, width, words.packB);
}
