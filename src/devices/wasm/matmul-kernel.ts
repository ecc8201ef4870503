import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import type { MatmulLocals, MatmulWord } from './matmul-arguments.js';
import { mode, pushWord, readWords } from './matmul-arguments.js';
import { emitBlock } from './matmul-block.js';
import { emitPack, pushAddress } from './matmul-pack.js';
import type { Tile } from './matmul-tile.js';

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
    packA: emitPackPanel(module, tile.rows, { line: 'aRowStride', step: 'aColumnStride', size: 'm', whole: 'packA' }),
    packB: emitPackPanel(module, width, { line: 'bColumnStride', step: 'bRowStride', size: 'n', whole: 'packB' }),
    tile,
  };
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const run = f.named('arguments', 'begin', 'end', 'scratch');
  const words = readWords(f, run.arguments);
  const item = f.local('i32');
  const when = (value: number, then: () => void) => {
    f.get(words.mode);
    f.i32(value);
    f.op('i32.eq');
    f.if(() => f.forRange(item, run.begin, run.end, 1, then));
  };
  when(mode.pack, () => emitPackItem(f, words, { ...parts, ...run, item }));
  when(mode.multiply, () => emitMultiplyItem(f, words, { ...parts, ...run, item }));
  when(mode.whole, () => emitWholeItem(f, words, { ...parts, ...run, item }));
}

interface ItemParts extends Parts {
  readonly arguments: Index;
  readonly item: Index;
  readonly scratch: Index;
}

/**
 * `packPanel(arguments, matrix, number, depth, packed)`: packs the panel that stands at place `number` of the packed
 * ones. Where the matrix is used unpacked, place 0 holds the panel over its edge.
 */
function emitPackPanel(
  module: ModuleBuilder,
  width: number,
  names: Readonly<Record<'line' | 'step' | 'size' | 'whole', MatmulWord>>,
): FunctionBuilder {
  const pack = emitPack(module, width);
  const f = module.function({ parameters: ['i32', 'i32', 'i32', 'i32', 'i32'] });
  const p = f.named('arguments', 'matrix', 'number', 'depth', 'packed');
  const { first, left } = f.locals('i32', 'first', 'left');
  f.get(p.number);
  pushWord(f, p.arguments, names.size);
  f.i32(width);
  f.op('i32.div_u');
  pushWord(f, p.arguments, names.whole);
  f.op('select');
  f.i32(width);
  f.op('i32.mul');
  f.set(first);
  pushWord(f, p.arguments, names.size);
  f.get(first);
  f.op('i32.sub');
  f.set(left);
  f.get(p.matrix, first);
  pushWord(f, p.arguments, names.line);
  f.op('i32.mul', 'i32.add');
  pushWord(f, p.arguments, names.line);
  pushWord(f, p.arguments, names.step);
  f.get(left);
  f.i32(width);
  f.get(left);
  f.i32(width);
  f.op('i32.lt_s', 'select');
  f.get(p.depth, p.packed, p.number, p.depth);
  f.i32(4 * width);
  f.op('i32.mul', 'i32.mul', 'i32.add');
  f.call(pack);
  return f;
}

function emitPackItem(f: FunctionBuilder, words: MatmulLocals, parts: ItemParts): void {
  f.get(parts.item, words.aPanels);
  f.op('i32.lt_s');
  f.if(
    () => {
      f.get(parts.arguments, words.a, parts.item, words.k, words.packedA);
      f.call(parts.packA);
    },
    () => {
      f.get(parts.arguments, words.b, parts.item, words.aPanels);
      f.op('i32.sub');
      f.get(words.k, words.packedB);
      f.call(parts.packB);
    },
  );
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
  const l = f.locals('i32', 'a', 'b', 'c', 'packedA', 'packedB', 'position', 'depth', 'panel', 'panels');
  for (const name of ['a', 'b', 'c'] as const) {
    pushAddress(f, words[name], item, words[`${name}BatchStride`]);
    f.set(l[name]);
  }
  f.get(parts.scratch);
  f.i32(16 * tile.rows * tile.vectors);
  f.op('i32.add');
  f.set(l.packedA);
  f.forRange(l.position, 0, words.k, words.depth, () => {
    f.get(words.depth, words.k, l.position);
    f.op('i32.sub');
    f.get(words.depth, words.k, l.position);
    f.op('i32.sub', 'i32.lt_s', 'select');
    f.set(l.depth);
    const packAll = (size: Index, whole: Index, width: number, call: () => void) => {
      pushPanels(f, size, whole, width);
      f.set(l.panels);
      f.forRange(l.panel, 0, l.panels, 1, call);
    };
    packAll(words.m, words.packA, tile.rows, () => {
      f.get(parts.arguments, l.a, l.panel, l.depth, l.packedA);
      f.call(parts.packA);
    });
    f.get(l.packedA, l.panels, l.depth);
    f.i32(4 * tile.rows);
    f.op('i32.mul', 'i32.mul', 'i32.add');
    f.set(l.packedB);
    packAll(words.n, words.packB, 4 * tile.vectors, () => {
      f.get(parts.arguments, l.b, l.panel, l.depth, l.packedB);
      f.call(parts.packB);
    });
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
