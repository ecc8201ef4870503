import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { integers } from './integers.js';
import { matmulWords } from './matmul-arguments.js';
import type { Tile } from './matmul-tile.js';
import { emitMerge, emitTile } from './matmul-tile.js';
import { pushWord } from './words.js';

/** The parameters of a block, in order; strides in bytes. */
const blockParameters = [
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
type Parameters = Readonly<Record<(typeof blockParameters)[number], Index>>;
type Locals = Readonly<
  Record<'m' | 'n' | 'cLine' | 'alpha' | 'rowEnd' | 'columnEnd' | 'i' | 'j' | 'a' | 'b' | 'target', Index>
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
  const i = integers(f);
  for (const [name, local] of [
    ['m', l.m],
    ['n', l.n],
    ['cRowStride', l.cLine],
    ['alpha', l.alpha],
  ] as const)
    i.set(local, () => pushWord(f, p.arguments, matmulWords, name));
  i.set(l.rowEnd, i.least(i.add(p.row, p.rows), l.m));
  i.set(l.columnEnd, i.least(i.add(p.column, p.columns), l.n));
  i.set(l.b, i.add(p.b, i.multiply(i.divide(p.column, width), p.bPanel)));
  f.forRange(l.j, p.column, l.columnEnd, width, () => {
    i.set(l.a, i.add(p.a, i.multiply(i.divide(p.row, tile.rows), p.aPanel)));
    i.set(l.target, i.add(p.c, i.multiply(p.row, l.cLine), i.multiply(l.j, 4)));
    f.forRange(l.i, p.row, l.rowEnd, tile.rows, () => {
      const rowsFit = i.atMost(i.add(l.i, tile.rows), l.m);
      const columnsFit = i.atMost(i.add(l.j, width), l.n);
      i.when(
        i.and(rowsFit, columnsFit),
        () => i.call(multiply, l.a, p.aLine, p.aStep, l.b, p.bStep, l.target, l.cLine, p.depth, l.alpha, p.accumulate),
        () => emitEdgeTile(f, tile, p, l, { multiply, merge, rowsFit, columnsFit }),
      );
      i.advance(l.a, p.aPanel);
      i.advance(l.target, i.multiply(l.cLine, tile.rows));
    });
    i.advance(l.b, p.bPanel);
  });
  return f;
}

interface EdgeParts {
  readonly multiply: FunctionBuilder;
  readonly merge: FunctionBuilder;
  readonly rowsFit: () => void;
  readonly columnsFit: () => void;
}

/** Like a whole tile, but from the edge panels where the operand ends, into scratch and from there into C. */
function emitEdgeTile(f: FunctionBuilder, tile: Tile, p: Parameters, l: Locals, parts: EdgeParts): void {
  const { multiply, merge, rowsFit, columnsFit } = parts;
  const width = 4 * tile.vectors;
  const i = integers(f);
  i.call(
    multiply,
    i.choose(rowsFit, l.a, p.aEdge),
    i.choose(rowsFit, p.aLine, 4),
    i.choose(rowsFit, p.aStep, 4 * tile.rows),
    i.choose(columnsFit, l.b, p.bEdge),
    i.choose(columnsFit, p.bStep, 4 * width),
    ...[p.scratch, 4 * width, p.depth, l.alpha, 0],
  );
  const rows = i.least(i.subtract(l.m, l.i), tile.rows);
  const columns = i.least(i.subtract(l.n, l.j), width);
  i.call(merge, p.scratch, 4 * width, l.target, l.cLine, rows, columns, p.accumulate);
}
