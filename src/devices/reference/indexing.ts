import type { View } from '../device.js';
import { requireIndices } from '../indices.js';
import { type Accessor, accessor } from './walk.js';

/** The row of the table that index i names. */
function rowOf(table: View, indices: Accessor, i: number): number {
  const index = indices.get(i);
  const rows = table.shape[0] ?? 0;
  requireIndices([index], rows);
  return index;
}

export function gather(table: View, indices: View, output: View): void {
  const [count = 0, width = 0] = output.shape;
  const [from, at, to] = [accessor(table), accessor(indices), accessor(output)];
  for (let i = 0; i < count; i++) {
    const row = rowOf(table, at, i);
    for (let j = 0; j < width; j++) to.set(from.get(row, j), i, j);
  }
}

export function scatterAdd(source: View, indices: View, table: View): void {
  const [count = 0, width = 0] = source.shape;
  const [from, at, to] = [accessor(source), accessor(indices), accessor(table)];
  for (let i = 0; i < count; i++) {
    const row = rowOf(table, at, i);
    for (let j = 0; j < width; j++) to.add(from.get(i, j), row, j);
  }
}
