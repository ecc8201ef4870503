import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { integers } from './integers.js';
import type { MatmulLocals } from './matmul-arguments.js';
import { matmulWords } from './matmul-arguments.js';
import { emitOldValue, multiplyAdd } from './matmul-tile.js';
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
  const i = integers(f);
  i.set(l.whole, i.and(words.k, -unroll));
  f.forRange(l.item, run.begin, run.end, 1, () => {
    i.set(l.columns, i.least(i.subtract(words.n, i.multiply(l.item, rowColumns)), rowColumns));
    f.get(run.scratch);
    f.i32(0);
    f.i32(rowScratchBytes(rows));
    f.memoryFill();
    i.set(l.a, words.a);
    i.set(l.b, i.add(words.b, i.multiply(l.item, 4 * rowColumns)));
    i.set(l.c, i.add(words.c, i.multiply(l.item, 4 * rowColumns)));
    const pass = (steps: number) => () => {
      emitPass(f, words, { a: l.a, b: l.b, sums: run.scratch, columns: l.columns, rows, steps, relaxed });
      i.advance(l.a, i.multiply(words.aColumnStride, steps));
      i.advance(l.b, i.multiply(words.bRowStride, steps));
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
  const i = integers(f);
  const lines = Array.from({ length: steps }, () => f.local('i32'));
  lines.forEach((line, step) => {
    i.set(line, i.add(pass.b, i.multiply(words.bRowStride, step)));
  });
  const factors = lines.map((_, step) =>
    Array.from({ length: rows }, (__, row) => {
      const factor = f.local('v128');
      i.push(i.add(pass.a, i.multiply(words.aColumnStride, step), i.multiply(words.aRowStride, row)));
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
      i.advance(line, bytes);
    });
    totals.forEach((total, row) => {
      f.get(sum, total);
      if (bytes === 16) f.store('v128.store', 4 * rowColumns * row);
      else f.laneMemory('v128.store32_lane', 0, 4 * rowColumns * row);
    });
  };
  i.set(end, i.add(pass.sums, i.multiply(i.and(pass.columns, -4), 4)));
  f.forAddresses(sum, pass.sums, end, 16, stretch('v128.load', 16));
  i.set(end, i.add(pass.sums, i.multiply(pass.columns, 4)));
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
  const i = integers(f);
  i.set(from, i.add(sums, 4 * rowColumns * row));
  i.set(to, i.add(c, i.multiply(words.cRowStride, row)));
  i.set(end, i.add(to, i.multiply(columns, 4)));
  f.forAddresses(to, to, end, 4, () => {
    f.get(to, from);
    f.load('f32.load');
    f.get(words.alpha);
    f.op('f32.reinterpret_i32', 'f32.mul');
    emitOldValue(f, to, words.accumulate);
    f.op('f32.add');
    f.store('f32.store');
    i.advance(from, 4);
  });
}
