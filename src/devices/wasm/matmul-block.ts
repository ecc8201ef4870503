import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { matmulWords } from './matmul-arguments.js';
import { advance, pushAddress, pushLeast } from './matmul-pack.js';
import type { Tile } from './matmul-tile.js';
import { emitMerge, emitTile } from './matmul-tile.js';
import { pushWord } from './words.js';

/** The parameters of a block, in order. */
export const blockParameters = [
  'arguments',
  'a', // where panel 0 of A is, packed or not
  'aPanel', // from panel to panel
  'aLine', // from row to row
  'aStep', // from column to column
  'aEdge', // the packed panel that A does not fill
  'b',
  'bPanel',
  'bStep', // from row to row of B; within one its numbers are neighbours
  'bEdge',
  'c',
  'depth',
  'row',
  'column',
  'rows',
  'columns',
  'accumulate',
  'scratch',
] as const;

type Index = Local<'i32'>;
type Parameters = Readonly<Record<(typeof blockParameters)[number], Local<'i32'>>>;
type Locals = Readonly<
  Record<'m' | 'n' | 'cLine' | 'alpha' | 'rowEnd' | 'columnEnd' | 'i' | 'j' | 'a' | 'b' | 'target', Local<'i32'>>
>;

/**
 * Emits `block(...blockParameters)`: rows `row` to `row + rows` and columns `column` to `column + columns` of C, as
 * far as C goes, tile by tile; both start at a tile. A tile over the edge is made in scratch from packed panels, and
 * only what belongs to C is copied out: nothing outside the operands is read or written.
 */
export function emitBlock(module: ModuleBuilder, tile: Tile, relaxed: boolean): FunctionBuilder {
  const multiply = emitTile(module, tile, relaxed);
  const merge = emitMerge(module);
  const width = 4 * tile.vectors;
  const f = module.function({ parameters: blockParameters.map(() => 'i32' as const) });
  const p: Parameters = f.named(...blockParameters);
  const l: Locals = f.locals('i32', 'm', 'n', 'cLine', 'alpha', 'rowEnd', 'columnEnd', 'i', 'j', 'a', 'b', 'target');
  for (const [name, local] of [
    ['m', l.m],
    ['n', l.n],
    ['cRowStride', l.cLine],
    ['alpha', l.alpha],
  ] as const) {
    pushWord(f, p.arguments, matmulWords, name);
    f.set(local);
  }
  sumUpTo(f, p.row, p.rows, l.m, l.rowEnd);
  sumUpTo(f, p.column, p.columns, l.n, l.columnEnd);
  panelAddress(f, p.b, p.column, width, p.bPanel, l.b);
  f.forRange(l.j, p.column, l.columnEnd, width, () => {
    panelAddress(f, p.a, p.row, tile.rows, p.aPanel, l.a);
    pushAddress(f, p.c, p.row, l.cLine);
    f.get(l.j);
    f.i32(2);
    f.op('i32.shl', 'i32.add');
    f.set(l.target);
    f.forRange(l.i, p.row, l.rowEnd, tile.rows, () => {
      pushFits(f, l.i, tile.rows, l.m);
      pushFits(f, l.j, width, l.n);
      f.op('i32.and');
      f.if(
        () => {
          f.get(l.a, p.aLine, p.aStep, l.b, p.bStep, l.target, l.cLine, p.depth, l.alpha, p.accumulate);
          f.call(multiply);
        },
        () => emitEdgeTile(f, tile, p, l, { multiply, merge }),
      );
      advance(f, l.a, p.aPanel);
      pushAddress(f, l.target, l.cLine, tile.rows);
      f.set(l.target);
    });
    advance(f, l.b, p.bPanel);
  });
  return f;
}

/** Like a whole tile, but from the edge panels where the operand ends, into scratch and from there into C. */
function emitEdgeTile(
  f: FunctionBuilder,
  tile: Tile,
  p: Parameters,
  l: Locals,
  { multiply, merge }: { readonly multiply: FunctionBuilder; readonly merge: FunctionBuilder },
): void {
  const width = 4 * tile.vectors;
  const choose = (pairs: readonly (readonly [Local<'i32'>, Local<'i32'> | number])[], fits: () => void) => {
    for (const [inside, edge] of pairs) {
      f.get(inside);
      if (typeof edge === 'number') f.i32(edge);
      else f.get(edge);
      fits();
      f.op('select');
    }
  };
  const aPairs = [
    [l.a, p.aEdge],
    [p.aLine, 4],
    [p.aStep, 4 * tile.rows],
  ] as const;
  const bPairs = [
    [l.b, p.bEdge],
    [p.bStep, 4 * width],
  ] as const;
  choose(aPairs, () => pushFits(f, l.i, tile.rows, l.m));
  choose(bPairs, () => pushFits(f, l.j, width, l.n));
  f.get(p.scratch);
  f.i32(4 * width);
  f.get(p.depth, l.alpha);
  f.i32(0);
  f.call(multiply);
  f.get(p.scratch);
  f.i32(4 * width);
  f.get(l.target, l.cLine);
  pushLeft(f, l.m, l.i, tile.rows);
  pushLeft(f, l.n, l.j, width);
  f.get(p.accumulate);
  f.call(merge);
}

/** result = min(from + count, size) */
function sumUpTo(f: FunctionBuilder, from: Index, count: Index, size: Index, result: Index): void {
  f.get(from, count);
  f.op('i32.add');
  f.set(result);
  pushLeast(f, result, size);
  f.set(result);
}

/** result = base + position / width * panel, where the position is a multiple of the width */
function panelAddress(
  f: FunctionBuilder,
  base: Local,
  position: Local,
  width: number,
  panel: Local,
  result: Local,
): void {
  f.get(base, position);
  f.i32(width);
  f.op('i32.div_u');
  f.get(panel);
  f.op('i32.mul', 'i32.add');
  f.set(result);
}

/** Pushes whether `position + width <= size`. */
function pushFits(f: FunctionBuilder, position: Local, width: number, size: Local): void {
  f.get(position);
  f.i32(width);
  f.op('i32.add');
  f.get(size);
  f.op('i32.le_s');
}

/** Pushes min(size - position, width). */
function pushLeft(f: FunctionBuilder, size: Local<'i32'>, position: Local<'i32'>, width: number): void {
  const left = f.local('i32');
  f.get(size, position);
  f.op('i32.sub');
  f.set(left);
  pushLeast(f, left, width);
}
