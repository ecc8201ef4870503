import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { integers } from './integers.js';

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
 * Two traps, both of V8 before 13: an unrolled loop spills, and a float parameter holds a vector register throughout.
 */
export function emitTile(module: ModuleBuilder, tile: Tile, relaxed: boolean): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 10 }, () => 'i32' as const) });
  const p = f.named('a', 'aLine', 'aStep', 'b', 'bStep', 'c', 'cLine', 'depth', 'alpha', 'accumulate');
  const sums = Array.from({ length: tile.rows }, () => Array.from({ length: tile.vectors }, () => f.local('v128')));
  const right = Array.from({ length: tile.vectors }, () => f.local('v128'));
  const left = f.local('v128');
  const lines = sums.map((_, row) => (row === 0 ? p.a : f.local('i32')));
  const i = integers(f);
  lines.slice(1).forEach((line, row) => {
    i.set(line, i.add(lines[row] ?? p.a, p.aLine));
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
    for (const line of lines) i.advance(line, p.aStep);
    i.advance(p.b, p.bStep);
    i.advance(p.depth, -1);
    f.get(p.depth);
    f.branchIf(next);
  });
  emitWrite(f, sums, p);
  return f;
}

type WriteParameters = Readonly<Record<'c' | 'cLine' | 'alpha' | 'accumulate', Local<'i32'>>>;

/** C = alpha * sums, or C += alpha * sums. */
function emitWrite(f: FunctionBuilder, sums: readonly (readonly Local[])[], p: WriteParameters): void {
  const alpha = f.local('v128');
  const i = integers(f);
  f.get(p.alpha);
  f.op('i32x4.splat');
  f.set(alpha);
  const write = (accumulate: boolean) => () =>
    sums.forEach((row, position) => {
      if (position > 0) i.advance(p.c, p.cLine);
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
  i.when(p.accumulate, write(true), write(false));
}

/** Emits `merge(tile, tileLine, c, cLine, rows, columns, accumulate)`: the part of a finished tile that belongs to C. */
export function emitMerge(module: ModuleBuilder): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 7 }, () => 'i32' as const) });
  const p = f.named('tile', 'tileLine', 'c', 'cLine', 'rows', 'columns', 'accumulate');
  const { row, from, to, end } = f.locals('i32', 'row', 'from', 'to', 'end');
  const i = integers(f);
  f.forRange(row, 0, p.rows, 1, () => {
    i.set(from, p.tile);
    i.set(end, i.add(p.c, i.multiply(p.columns, 4)));
    f.forAddresses(to, p.c, end, 4, () => {
      f.get(to, from);
      f.load('f32.load');
      emitOldValue(f, to, p.accumulate);
      f.op('f32.add');
      f.store('f32.store');
      i.advance(from, 4);
    });
    i.advance(p.tile, p.tileLine);
    i.advance(p.c, p.cLine);
  });
  return f;
}

/** Pushes the number at an address, or, where it does not count, -0: x + -0 is x for every x. */
export function emitOldValue(f: FunctionBuilder, address: Local<'i32'>, accumulate: Local<'i32'>): void {
  f.get(address);
  f.load('f32.load');
  f.f32(-0);
  f.get(accumulate);
  f.op('select');
}
