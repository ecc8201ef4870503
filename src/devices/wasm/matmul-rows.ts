import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import type { MatmulLocals } from './matmul-arguments.js';
import { matmulWords } from './matmul-arguments.js';
import { advance, pushAddress, pushLeast } from './matmul-pack.js';
import { multiplyAdd } from './matmul-tile.js';
import { readWords } from './words.js';

type Index = Local<'i32'>;

/** Columns of C that one work item makes; their sums stay in the first-level cache. */
export const rowColumns = 256;
const unroll = 4; // rows of B that pass over the sums together

/** Scratch bytes for the sums. */
export function rowScratchBytes(rows: number): number {
  return 4 * rows * rowColumns;
}

/**
 * Emits `run` for a product of `rows` (1 to 4) rows of A with B whose rows are contiguous: whole stretches of the rows
 * of B stream past the sums, where tiles would hop from row to row. Work items are groups of `rowColumns` columns of
 * C. Arguments are `matmulWords`.
 */
export function emitMatmulRows(module: ModuleBuilder, rows: number, relaxed: boolean): void {
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const run = f.named('arguments', 'begin', 'end', 'scratch');
  const words = readWords(f, run.arguments, matmulWords);
  const l = f.locals('i32', 'item', 'columns', 'position', 'whole', 'a', 'b', 'c');
  f.get(words.k);
  f.i32(-unroll);
  f.op('i32.and');
  f.set(l.whole);
  f.forRange(l.item, run.begin, run.end, 1, () => {
    pushAddress(f, words.n, l.item, -rowColumns);
    f.set(l.columns);
    pushLeast(f, l.columns, rowColumns);
    f.set(l.columns);
    f.get(run.scratch);
    f.i32(0);
    f.i32(rowScratchBytes(rows));
    f.memoryFill();
    pushAddress(f, words.b, l.item, 4 * rowColumns);
    f.set(l.b);
    pushAddress(f, words.c, l.item, 4 * rowColumns);
    f.set(l.c);
    f.get(words.a);
    f.set(l.a);
    const pass = (steps: number) => () => {
      emitPass(f, words, { a: l.a, b: l.b, sums: run.scratch, columns: l.columns, rows, steps, relaxed });
      pushAddress(f, l.a, words.aColumnStride, steps);
      f.set(l.a);
      pushAddress(f, l.b, words.bRowStride, steps);
      f.set(l.b);
    };
    f.forRange(l.position, 0, l.whole, unroll, pass(unroll));
    f.forRange(l.position, l.whole, words.k, 1, pass(1));
    for (let row = 0; row < rows; row++) emitWriteRow(f, words, { sums: run.scratch, c: l.c, columns: l.columns, row });
  });
}

interface Pass {
  readonly a: Index;
  readonly b: Index;
  readonly sums: Index;
  readonly columns: Index;
  readonly rows: number;
  readonly steps: number;
  readonly relaxed: boolean;
}

/** sums[row] += a[row][step] * b[step] for `steps` rows of B, in vectors and then, past the last one, in numbers. */
function emitPass(f: FunctionBuilder, words: MatmulLocals, pass: Pass): void {
  const { rows, steps, relaxed } = pass;
  const { sum, end } = f.locals('i32', 'sum', 'end');
  const lines = Array.from({ length: steps }, (_, step) => {
    const line = f.local('i32');
    pushAddress(f, pass.b, words.bRowStride, step);
    f.set(line);
    return line;
  });
  const factors = lines.map((_, step) =>
    Array.from({ length: rows }, (__, row) => {
      const factor = f.local('v128');
      pushAddress(f, pass.a, words.aColumnStride, step);
      f.get(words.aRowStride);
      f.i32(row);
      f.op('i32.mul', 'i32.add');
      f.load('v128.load32_splat');
      f.set(factor);
      return factor;
    }),
  );
  const value = f.local('v128');
  const totals = Array.from({ length: rows }, () => f.local('v128'));
  const stretch = (load: 'v128.load' | 'v128.load32_zero', bytes: number) => () => {
    totals.forEach((total, row) => {
      f.get(sum);
      f.load(load, 4 * rowColumns * row);
      f.set(total);
    });
    lines.forEach((line, step) => {
      f.get(line);
      f.load(load);
      f.set(value);
      totals.forEach((total, row) => {
        multiplyAdd(f, value, factors[step]?.[row] ?? value, total, relaxed);
        f.set(total);
      });
      advance(f, line, bytes);
    });
    totals.forEach((total, row) => {
      f.get(sum, total);
      if (bytes === 16) f.store('v128.store', 4 * rowColumns * row);
      else f.laneMemory('v128.store32_lane', 0, 4 * rowColumns * row);
    });
  };
  f.get(pass.sums, pass.columns);
  f.i32(-4);
  f.op('i32.and');
  f.i32(2);
  f.op('i32.shl', 'i32.add');
  f.set(end);
  f.forAddresses(sum, pass.sums, end, 16, stretch('v128.load', 16));
  pushAddress(f, pass.sums, pass.columns, 4);
  f.set(end);
  f.forAddresses(sum, sum, end, 4, stretch('v128.load32_zero', 4));
}

interface WriteRow {
  readonly sums: Index;
  readonly c: Index;
  readonly columns: Index;
  readonly row: number;
}

/** C = alpha * sums, or C += alpha * sums, for one row. */
function emitWriteRow(f: FunctionBuilder, words: MatmulLocals, { sums, c, columns, row }: WriteRow): void {
  const { from, to, end } = f.locals('i32', 'from', 'to', 'end');
  f.get(sums);
  f.i32(4 * rowColumns * row);
  f.op('i32.add');
  f.set(from);
  pushAddress(f, c, words.cRowStride, row);
  f.set(to);
  pushAddress(f, to, columns, 4);
  f.set(end);
  f.forAddresses(to, to, end, 4, () => {
    f.get(to, from);
    f.load('f32.load');
    f.get(words.alpha);
    f.op('f32.reinterpret_i32', 'f32.mul');
    f.get(to);
    f.load('f32.load');
    f.f32(-0); // x + -0 is x for every x
    f.get(words.accumulate);
    f.op('select', 'f32.add');
    f.store('f32.store');
    advance(f, from, 4);
  });
}
