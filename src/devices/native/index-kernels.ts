import type { DeviceBuffer, View } from '../device.js';
import { requireIndices } from '../indices.js';
import { resource } from './resource.js';
import { ArgumentWriter, addressOf, type NativeRuntime } from './runtime.js';

const elementsPerChunk = 16_384;
/** Columns that an item adds up at least: a few cache lines, so that what one thread fetches is for itself alone. */
const fewestColumns = 64;
const columnsPerLine = 16;

const gatherSource = () => ({ name: 'sluice_gather', code: resource('gather.c') });
const scatterAddSource = () => ({ name: 'sluice_scatter_add', code: resource('scatter-add.c') });
const writer = /* @__PURE__ */ new ArgumentWriter();

interface Checked {
  readonly offset: number;
  readonly count: number;
  readonly rows: number;
}

/** What was looked at, until something is written there: to look is to wait for all that is queued. */
const checked = /* @__PURE__ */ new WeakMap<DeviceBuffer, Checked>();

/** To be told of each int32 view that is written. */
export function indicesChange({ buffer }: View): void {
  if (buffer.type === 'int32') checked.delete(buffer);
}

/** Looks at the indices when what is queued before has written them. */
function checkIndices(runtime: NativeRuntime, { buffer, offset, shape }: View, table: View): void {
  const [rows = 0] = table.shape;
  const [count = 0] = shape;
  const known = checked.get(buffer);
  if (count === 0 || (known?.offset === offset && known.count === count && known.rows <= rows)) return;
  const address = addressOf({ buffer, offset, shape, strides: [1] });
  const isNow = runtime.isIdle;
  runtime.inTurn(() => {
    const values = new Int32Array(count);
    runtime.library.copyOut(values, address, 4 * count);
    requireIndices(values, rows);
    if (isNow) checked.set(buffer, { offset, count, rows });
  });
}

/** output[i, :] = table[indices[i], :]; rows with unit stride. */
export function gather(runtime: NativeRuntime, table: View, indices: View, output: View): void {
  const [count = 0, width = 0] = output.shape;
  checkIndices(runtime, indices, table);
  writer
    .start()
    .address(table)
    .number(table.strides[0] ?? 0)
    .address(indices);
  writer
    .address(output)
    .number(output.strides[0] ?? 0)
    .number(width);
  const grain = Math.max(1, Math.ceil(elementsPerChunk / Math.max(1, width)));
  runtime.launch(runtime.kernel('gather', gatherSource), writer.words, count, grain);
}

/** table[indices[i], :] += source[i, :], in the order of i; rows with unit stride. */
export function scatterAdd(runtime: NativeRuntime, source: View, indices: View, table: View): void {
  const [count = 0, width = 0] = source.shape;
  checkIndices(runtime, indices, table);
  const share = columnsPerLine * Math.ceil(width / runtime.threads / columnsPerLine);
  const columns = Math.max(fewestColumns, share);
  writer
    .start()
    .address(table)
    .number(table.strides[0] ?? 0)
    .address(indices);
  writer
    .address(source)
    .number(source.strides[0] ?? 0)
    .number(width)
    .number(count)
    .number(columns);
  runtime.launch(runtime.kernel('scatterAdd', scatterAddSource), writer.words, Math.ceil(width / columns), 1);
}
