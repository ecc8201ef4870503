import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { advance } from './matmul-pack.js';

/** The block of C that stays in registers: `rows` by 4 * `vectors`. */
export interface Tile {
  readonly rows: number;
  readonly vectors: number;
}

/** Pushes left * right + sum: rounded once with relaxed SIMD, twice without. */
export function multiplyAdd(f: FunctionBuilder, left: Local, right: Local, sum: Local, relaxed: boolean): void {
  f.get(left, right);
  if (relaxed) {
    f.get(sum);
    f.op('f32x4.relaxed_madd');
  } else {
    f.op('f32x4.mul');
    f.get(sum);
    f.op('f32x4.add');
  }
}

/**
 * Emits `multiply(a, aLine, aStep, b, bStep, c, cLine, depth, alpha, accumulate)`: one tile of C.
 * Row r of A at step i is at a + r * aLine + i * aStep; row i of B (4 * vectors numbers) at b + i * bStep;
 * row r of C at c + r * cLine. All in bytes; `alpha` as float bits; `depth` at least 1.
 *
 * Two traps, both of V8 11: an unrolled loop spills, and a float parameter holds a vector register through the loop.
 */
export function emitTile(module: ModuleBuilder, tile: Tile, relaxed: boolean): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 10 }, () => 'i32' as const) });
  const p = f.named('a', 'aLine', 'aStep', 'b', 'bStep', 'c', 'cLine', 'depth', 'alpha', 'accumulate');
  const sums = Array.from({ length: tile.rows }, () => Array.from({ length: tile.vectors }, () => f.local('v128')));
  const right = Array.from({ length: tile.vectors }, () => f.local('v128'));
  const left = f.local('v128');
  const lines = sums.map((_, row) => (row === 0 ? p.a : f.local('i32')));
  lines.slice(1).forEach((line, row) => {
    f.get(lines[row] ?? p.a, p.aLine);
    f.op('i32.add');
    f.set(line);
  });
  f.loop((next) => {
    right.forEach((vector, position) => {
      f.get(p.b);
      f.load('v128.load', 16 * position);
      f.set(vector);
    });
    sums.forEach((row, position) => {
      f.get(lines[position] ?? p.a);
      f.load('v128.load32_splat');
      f.set(left);
      row.forEach((sum, index) => {
        multiplyAdd(f, right[index] ?? left, left, sum, relaxed);
        f.set(sum);
      });
    });
    for (const line of lines) advance(f, line, p.aStep);
    advance(f, p.b, p.bStep);
    f.get(p.depth);
    f.i32(1);
    f.op('i32.sub');
    f.tee(p.depth);
    f.branchIf(next);
  });
  emitWrite(f, sums, p);
  return f;
}

type WriteParameters = Readonly<Record<'c' | 'cLine' | 'alpha' | 'accumulate', Local<'i32'>>>;

/** C = alpha * sums, or C += alpha * sums. */
function emitWrite(f: FunctionBuilder, sums: readonly (readonly Local[])[], p: WriteParameters): void {
  const alpha = f.local('v128');
  f.get(p.alpha);
  f.op('i32x4.splat');
  f.set(alpha);
  const write = (accumulate: boolean) =>
    sums.forEach((row, position) => {
      if (position > 0) advance(f, p.c, p.cLine);
      row.forEach((sum, index) => {
        f.get(p.c, sum, alpha);
        f.op('f32x4.mul');
        if (accumulate) {
          f.get(p.c);
          f.load('v128.load', 16 * index);
          f.op('f32x4.add');
        }
        f.store('v128.store', 16 * index);
      });
    });
  f.get(p.accumulate);
  f.if(
    () => write(true),
    () => write(false),
  );
}

/** Emits `merge(tile, tileLine, c, cLine, rows, columns, accumulate)`: the part of a finished tile that belongs to C. */
export function emitMerge(module: ModuleBuilder): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 7 }, () => 'i32' as const) });
  const p = f.named('tile', 'tileLine', 'c', 'cLine', 'rows', 'columns', 'accumulate');
  const { i, from, to, end } = f.locals('i32', 'i', 'from', 'to', 'end');
  f.forRange(i, 0, p.rows, 1, () => {
    f.get(p.tile);
    f.set(from);
    f.get(p.c);
    f.i32(4);
    f.get(p.columns);
    f.op('i32.mul', 'i32.add');
    f.set(end);
    f.forAddresses(to, p.c, end, 4, () => {
      f.get(to, from);
      f.load('f32.load');
      f.get(to);
      f.load('f32.load');
      f.f32(-0); // x + -0 is x for every x
      f.get(p.accumulate);
      f.op('select', 'f32.add');
      f.store('f32.store');
      advance(f, from, 4);
    });
    advance(f, p.tile, p.tileLine);
    advance(f, p.c, p.cLine);
  });
  return f;
}
