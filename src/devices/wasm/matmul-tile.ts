import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { type Integer, integers } from './integers.js';

/** The block of C that stays in registers: `rows` by 4 * `vectors`. */
export interface Tile {
  readonly rows: number;
  readonly vectors: number;
  /** Steps along k in one turn of the loop; 1 where V8 before 13 runs, which spills the registers of more. */
  readonly steps: number;
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
 * Row r of A at step i is at a + r * aLine + i * aStep, where one of aLine and aStep is 4; row i of B (4 * vectors
 * numbers) at b + i * bStep; row r of C at c + r * cLine. All in bytes; `alpha` as float bits.
 *
 * A trap of V8 before 13: a float parameter holds a vector register throughout.
 */
export function emitTile(module: ModuleBuilder, tile: Tile, relaxed: boolean): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 10 }, () => 'i32' as const) });
  const p = f.named('a', 'aLine', 'aStep', 'b', 'bStep', 'c', 'cLine', 'depth', 'alpha', 'accumulate');
  const sums = Array.from({ length: tile.rows }, () => Array.from({ length: tile.vectors }, () => f.local('v128')));
  const lines = sums.map((_, row) => (row === 0 ? p.a : f.local('i32')));
  const i = integers(f);
  const product: Product = { tile, relaxed, sums, b: p.b, bStep: p.bStep, depth: p.depth };
  i.when(
    i.equal(p.aStep, 4),
    () => {
      lines.slice(1).forEach((line, row) => {
        i.set(line, i.add(lines[row] ?? p.a, p.aLine));
      });
      emitProduct(f, product, {
        place: (row, step) => ({ address: lines[row] ?? p.a, offset: 4 * step }),
        advance: (steps) => {
          for (const line of lines) i.advance(line, 4 * steps);
        },
      });
    },
    () =>
      emitProduct(f, product, {
        place: (row) => ({ address: p.a, offset: 4 * row }),
        advanceStep: () => i.advance(p.a, p.aStep),
      }),
  );
  emitWrite(f, sums, p);
  return f;
}

interface Product {
  readonly tile: Tile;
  readonly relaxed: boolean;
  readonly sums: readonly (readonly Local<'v128'>[])[];
  readonly b: Local<'i32'>;
  readonly bStep: Local<'i32'>;
  readonly depth: Local<'i32'>;
}

/** Where A's numbers are, and what goes on to the next ones: after each step, or after several. */
interface Walk {
  readonly place: (row: number, step: number) => { readonly address: Local<'i32'>; readonly offset: number };
  readonly advanceStep?: () => void;
  readonly advance?: (steps: number) => void;
}

/** sums += A B, several steps in each turn of a loop, then those that are left. */
function emitProduct(f: FunctionBuilder, { tile, relaxed, sums, b, bStep, depth }: Product, walk: Walk): void {
  const right = Array.from({ length: tile.vectors }, () => f.local('v128'));
  const [left, turn] = [f.local('v128'), f.local('i32')];
  const i = integers(f);
  const emitStep = (step: number): void => {
    right.forEach((vector, position) => {
      f.get(b);
      f.load('v128.load', 16 * position);
      f.set(vector);
    });
    sums.forEach((row, position) => {
      const { address, offset } = walk.place(position, step);
      f.get(address);
      f.load('v128.load32_splat', offset);
      f.set(left);
      row.forEach((sum, index) => {
        multiplyAdd(f, right[index] ?? left, left, sum, relaxed);
        f.set(sum);
      });
    });
    i.advance(b, bStep);
    walk.advanceStep?.();
  };
  const emitTurns = (count: Integer, steps: number): void => {
    i.set(turn, count);
    i.when(turn, () =>
      f.loop((next) => {
        for (let step = 0; step < steps; step++) emitStep(step);
        walk.advance?.(steps);
        i.advance(turn, -1);
        f.get(turn);
        f.branchIf(next);
      }),
    );
  };
  if (tile.steps > 1) emitTurns(i.divide(depth, tile.steps), tile.steps);
  emitTurns(tile.steps > 1 ? i.remainder(depth, tile.steps) : depth, 1);
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
