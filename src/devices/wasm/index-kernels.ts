import type { View } from '../device.js';
import { requireIndices } from '../indices.js';
import { ArgumentReader } from './arguments.js';
import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { addressOf } from './memory.js';
import type { WasmRuntime } from './runtime.js';

const bytesPerChunk = 65_536;
/** Columns that one turn adds up: a cache line of float32. */
const columnsPerItem = 16;

/** The address of row `indices[i]` of a table, given the words' locals. */
function rowAddress(f: FunctionBuilder, table: Local, stride: Local, indices: Local, i: Local): void {
  f.get(table, indices, i);
  f.i32(4);
  f.op('i32.mul', 'i32.add');
  f.load('i32.load');
  f.get(stride);
  f.op('i32.mul', 'i32.add');
}

function emitGather(module: ModuleBuilder): void {
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const reader = new ArgumentReader(f, f.parameter(0, 'i32'));
  const [table, tableStride, indices] = [reader.integer(), reader.integer(), reader.integer()];
  const [output, outputStride, bytes] = [reader.integer(), reader.integer(), reader.integer()];
  const i = f.local('i32');
  f.forRange(i, f.parameter(1, 'i32'), f.parameter(2, 'i32'), 1, () => {
    f.get(output, i, outputStride);
    f.op('i32.mul', 'i32.add');
    rowAddress(f, table, tableStride, indices, i);
    f.get(bytes);
    f.memoryCopy();
  });
}

/** Each item owns some columns of the table, so that additions come in the order of the indices. */
function emitScatterAdd(module: ModuleBuilder): void {
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const reader = new ArgumentReader(f, f.parameter(0, 'i32'));
  const [table, tableStride, indices] = [reader.integer(), reader.integer(), reader.integer()];
  const [source, sourceStride, width, count] = [reader.integer(), reader.integer(), reader.integer(), reader.integer()];
  const [item, i, first, last, to, from, column] = Array.from({ length: 7 }, () => f.local('i32')) as Seven;
  f.forRange(item, f.parameter(1, 'i32'), f.parameter(2, 'i32'), 1, () => {
    f.get(item);
    f.i32(columnsPerItem);
    f.op('i32.mul');
    f.tee(first);
    f.i32(columnsPerItem);
    f.op('i32.add');
    f.tee(last);
    f.get(width, last, width);
    f.op('i32.lt_s', 'select');
    f.set(last);
    f.forRange(i, 0, count, 1, () => {
      rowAddress(f, table, tableStride, indices, i);
      f.set(to);
      f.get(source, i, sourceStride);
      f.op('i32.mul', 'i32.add');
      f.set(from);
      f.forRange(column, first, last, 1, () => addElement(f, to, from, column));
    });
  });
}
type Seven = [Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>];

function addElement(f: FunctionBuilder, to: Local, from: Local, column: Local): void {
  const element = (base: Local): void => {
    f.get(base, column);
    f.i32(4);
    f.op('i32.mul', 'i32.add');
  };
  element(to);
  element(to);
  f.load('f32.load');
  element(from);
  f.load('f32.load');
  f.op('f32.add');
  f.store('f32.store');
}

function checkIndices({ arena }: WasmRuntime, indices: View, table: View): void {
  const start = addressOf(indices) / 4;
  requireIndices(arena.i32.subarray(start, start + (indices.shape[0] ?? 0)), table.shape[0] ?? 0);
}

/** output[i, :] = table[indices[i], :]; rows with unit stride. */
export function gather(runtime: WasmRuntime, table: View, indices: View, output: View): void {
  const [count = 0, width = 0] = output.shape;
  checkIndices(runtime, indices, table);
  const args = [addressOf(table), 4 * (table.strides[0] ?? 0), addressOf(indices)];
  args.push(addressOf(output), 4 * (output.strides[0] ?? 0), 4 * width);
  const grain = Math.max(1, Math.ceil(bytesPerChunk / Math.max(1, 4 * width)));
  runtime.launch(runtime.kernel('gather', emitGather), args, count, grain);
}

/** table[indices[i], :] += source[i, :]. */
export function scatterAdd(runtime: WasmRuntime, source: View, indices: View, table: View): void {
  const [count = 0, width = 0] = source.shape;
  checkIndices(runtime, indices, table);
  const args = [addressOf(table), 4 * (table.strides[0] ?? 0), addressOf(indices)];
  args.push(addressOf(source), 4 * (source.strides[0] ?? 0), width, count);
  runtime.launch(runtime.kernel('scatterAdd', emitScatterAdd), args, Math.ceil(width / columnsPerItem), 1);
}
