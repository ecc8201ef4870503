import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import type { MatmulLocals } from './matmul-arguments.js';
import { matmulWords } from './matmul-arguments.js';
import { advance, pushAddress } from './matmul-pack.js';
import { multiplyAdd } from './matmul-tile.js';
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
  const { item, column, whole, position, target } = f.locals('i32', 'item', 'column', 'whole', 'position', 'target');
  const left = Array.from({ length: rows }, () => f.local('i32'));
  const right = Array.from({ length: columns }, () => f.local('i32'));
  const sums = left.map(() => right.map(() => Array.from({ length: steps }, () => f.local('v128'))));
  f.get(words.k);
  f.i32(-4 * steps);
  f.op('i32.and');
  f.set(whole);
  f.forRange(item, run.begin, run.end, 1, () => {
    f.get(item);
    f.i32(columns);
    f.op('i32.mul');
    f.set(column);
    left.forEach((pointer, row) => {
      pushAddress(f, words.a, words.aRowStride, row);
      f.set(pointer);
    });
    right.forEach((pointer, index) => {
      f.get(words.b);
      pushColumn(f, column, index, words.n);
      f.get(words.bColumnStride);
      f.op('i32.mul', 'i32.add');
      f.set(pointer);
    });
    for (const sum of sums.flat(2)) {
      f.f32x4(0);
      f.set(sum);
    }
    f.forRange(position, 0, whole, 4 * steps, () => {
      for (let step = 0; step < steps; step++) emitStep(f, { left, right, sums, step, relaxed });
      for (const pointer of [...left, ...right]) advance(f, pointer, 16 * steps);
    });
    const totals = sums.map((row) => row.map((parts) => horizontalSum(f, parts)));
    emitTail(f, { left, right, totals, position, whole, size: words.k });
    right.forEach((_, index) => {
      f.get(column);
      f.i32(index);
      f.op('i32.add');
      f.get(words.n);
      f.op('i32.lt_s');
      f.if(() =>
        totals.forEach((totalsOfRow, row) => {
          const total = totalsOfRow[index];
          if (total !== undefined) emitResult(f, words, { column, index, row, total, target });
        }),
      );
    });
  });
}

/** Pushes min(column + index, n - 1): a column past the end reads the last one again. */
function pushColumn(f: FunctionBuilder, column: Local, index: number, n: Local): void {
  const push = () => {
    f.get(column);
    f.i32(index);
    f.op('i32.add');
  };
  const last = () => {
    f.get(n);
    f.i32(1);
    f.op('i32.sub');
  };
  push();
  last();
  push();
  last();
  f.op('i32.lt_s', 'select');
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
export function horizontalSum(f: FunctionBuilder, parts: readonly Local[]): Local<'f32'> {
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
    for (const pointer of [...left, ...right]) advance(f, pointer, 4);
  });
}

interface Result {
  readonly column: Local<'i32'>;
  readonly index: number;
  readonly row: number;
  readonly total: Local;
  readonly target: Local<'i32'>;
}

function emitResult(f: FunctionBuilder, words: MatmulLocals, result: Result): void {
  const { column, index, row, total, target } = result;
  pushAddress(f, words.c, column, 4);
  f.i32(4 * index);
  f.get(words.cRowStride);
  f.i32(row);
  f.op('i32.mul', 'i32.add', 'i32.add');
  f.tee(target);
  f.get(total, words.alpha);
  f.op('f32.reinterpret_i32', 'f32.mul');
  f.get(target);
  f.load('f32.load');
  f.f32(-0); // x + -0 is x for every x
  f.get(words.accumulate);
  f.op('select', 'f32.add');
  f.store('f32.store');
}
