import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { integers } from './integers.js';
import type { MatmulLocals } from './matmul-arguments.js';
import { matmulWords } from './matmul-arguments.js';
import { emitOldValue, multiplyAdd } from './matmul-tile.js';
import { readWords } from './words.js';

/** Columns of C that one work item makes. */
export function dotColumns(rows: number): number {
  return rows <= 2 ? 4 : 2;
}

/**
 * Emits `run` for a product of `rows` (1 to 4) contiguous rows of A with contiguous columns of B, as when one token
 * meets the weights [n, k] of a linear layer: dot products along memory, nothing packed. Work items are groups of
 * `dotColumns(rows)` columns of C. Arguments are `matmulWords`.
 */
export function emitMatmulDots(module: ModuleBuilder, rows: number, relaxed: boolean): void {
  const columns = dotColumns(rows);
  const steps = rows === 1 ? 2 : 1; // independent sums hide the latency of an addition
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const run = f.named('arguments', 'begin', 'end', 'scratch');
  const words = readWords(f, run.arguments, matmulWords);
  const { item, column, whole, position } = f.locals('i32', 'item', 'column', 'whole', 'position');
  const left = Array.from({ length: rows }, () => f.local('i32'));
  const right = Array.from({ length: columns }, () => f.local('i32'));
  const sums = left.map(() => right.map(() => Array.from({ length: steps }, () => f.local('v128'))));
  const i = integers(f);
  i.set(whole, i.and(words.k, -4 * steps));
  f.forRange(item, run.begin, run.end, 1, () => {
    i.set(column, i.multiply(item, columns));
    left.forEach((pointer, row) => {
      i.set(pointer, i.add(words.a, i.multiply(words.aRowStride, row)));
    });
    right.forEach((pointer, index) => {
      const existing = i.least(i.add(column, index), i.subtract(words.n, 1)); // past the end: the last one again
      i.set(pointer, i.add(words.b, i.multiply(existing, words.bColumnStride)));
    });
    for (const sum of sums.flat(2)) {
      f.f32x4(0);
      f.set(sum);
    }
    f.forRange(position, 0, whole, 4 * steps, () => {
      for (let step = 0; step < steps; step++) emitStep(f, { left, right, sums, step, relaxed });
      for (const pointer of [...left, ...right]) i.advance(pointer, 16 * steps);
    });
    const totals = sums.map((row) => row.map((parts) => horizontalSum(f, parts)));
    emitTail(f, { left, right, totals, position, whole, size: words.k });
    right.forEach((_, index) => {
      i.when(i.lessThan(i.add(column, index), words.n), () =>
        totals.forEach((totalsOfRow, row) => {
          const total = totalsOfRow[index];
          if (total !== undefined) emitResult(f, words, { column, index, row, total });
        }),
      );
    });
  });
}

interface Step {
  readonly left: readonly Local[];
  readonly right: readonly Local[];
  readonly sums: readonly (readonly (readonly Local[])[])[];
  readonly step: number;
  readonly relaxed: boolean;
}

function emitStep(f: FunctionBuilder, { left, right, sums, step, relaxed }: Step): void {
  const vectors = left.map((pointer) => loadVector(f, pointer, 16 * step));
  right.forEach((pointer, index) => {
    const vector = loadVector(f, pointer, 16 * step);
    vectors.forEach((other, row) => {
      const sum = sums[row]?.[index]?.[step];
      if (sum === undefined) return;
      multiplyAdd(f, other, vector, sum, relaxed);
      f.set(sum);
    });
  });
}

function loadVector(f: FunctionBuilder, pointer: Local, offset: number): Local<'v128'> {
  const vector = f.local('v128');
  f.get(pointer);
  f.load('v128.load', offset);
  f.set(vector);
  return vector;
}

/** The sum of all lanes, always in the same order. */
function horizontalSum(f: FunctionBuilder, parts: readonly Local[]): Local<'f32'> {
  const vector = f.local('v128');
  parts.forEach((part, index) => {
    f.get(part);
    if (index > 0) f.op('f32x4.add');
  });
  f.set(vector);
  const total = f.local('f32');
  for (let lane = 0; lane < 4; lane++) {
    f.get(vector);
    f.lane('f32x4.extract_lane', lane);
    if (lane % 2 === 1) f.op('f32.add');
  }
  f.op('f32.add');
  f.set(total);
  return total;
}

interface Tail {
  readonly left: readonly Local<'i32'>[];
  readonly right: readonly Local<'i32'>[];
  readonly totals: readonly (readonly Local[])[];
  readonly position: Local<'i32'>;
  readonly whole: Local<'i32'>;
  readonly size: Local<'i32'>;
}

/** What the vectors left over, one number at a time. */
function emitTail(f: FunctionBuilder, { left, right, totals, position, whole, size }: Tail): void {
  const i = integers(f);
  f.forRange(position, whole, size, 1, () => {
    left.forEach((pointer, row) => {
      right.forEach((other, index) => {
        const total = totals[row]?.[index];
        if (total === undefined) return;
        f.get(total, pointer);
        f.load('f32.load');
        f.get(other);
        f.load('f32.load');
        f.op('f32.mul', 'f32.add');
        f.set(total);
      });
    });
    for (const pointer of [...left, ...right]) i.advance(pointer, 4);
  });
}

interface Result {
  readonly column: Local<'i32'>;
  readonly index: number;
  readonly row: number;
  readonly total: Local;
}

function emitResult(f: FunctionBuilder, words: MatmulLocals, { column, index, row, total }: Result): void {
  const target = f.local('i32');
  const i = integers(f);
  i.set(target, i.add(words.c, i.multiply(column, 4), 4 * index, i.multiply(words.cRowStride, row)));
  f.get(target, total, words.alpha);
  f.op('f32.reinterpret_i32', 'f32.mul');
  emitOldValue(f, target, words.accumulate);
  f.op('f32.add');
  f.store('f32.store');
}
