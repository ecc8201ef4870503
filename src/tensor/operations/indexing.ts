import { SluiceError } from '../../base/errors.js';
import { startNode } from '../autograd.js';
import { fill, viewOf } from '../compute.js';
import { Targets } from '../gradients.js';
import { internal } from '../scopes.js';
import { isPacked, type Layout, packed, reshapeLayout, sizeOf } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { layoutOf, withSuited } from './copies.js';
import { checkDevice, checkFloat, checkWhole } from './operands.js';

/** The layout as [count, width] with unit steps along the width, where it is that. */
function tableLayout(layout: Layout): Layout | undefined {
  const count = layout.shape[0] ?? 1;
  const table = reshapeLayout(layout, [count, sizeOf(layout.shape) / count]);
  return table?.shape[1] === 1 || table?.strides[1] === 1 ? table : undefined;
}

/**
 * Rows of a table [count, ...] by int32 indices of any shape: [...indices, ...row].
 * @throws SluiceError `argument` for indices that are not int32, or out of range.
 */
export function gather(table: Tensor, indices: Tensor): Tensor {
  checkDevice('gather', table, [indices]);
  checkFloat('gather', [table]);
  checkWhole('gather', 'indices', indices);
  if (table.shape.length === 0) {
    throw new SluiceError('shape', {
      rule: 'gather takes a table of at least one axis',
      received: table.shape,
      remedy: 'Make it a table of one row with unsqueeze(0).',
    });
  }
  // The device may find an index out of range: then what was begun goes.
  return internal(() =>
    withSuited(indices, isPacked(indices), (suitedIndices) =>
      withSuited(table, tableLayout(table) !== undefined, (suitedTable) => gatherRows(suitedTable, suitedIndices)),
    ),
  );
}

function gatherRows(table: Tensor, indices: Tensor): Tensor {
  const shape = [...indices.shape, ...table.shape.slice(1)];
  const node = startNode('gather', [table]);
  const result = table.make('float32', shape, node?.output(shape));
  const rows = viewOf(table.strided(), tableLayout(table) ?? table);
  const width = rows.shape[1] ?? 1;
  const which = viewOf(indices.strided(), packed([indices.size], indices.offset));
  const flat = packed([indices.size, width]);
  const { device, source, storage } = table;
  device.gather(rows, which, viewOf(result.strided(), flat));
  if (node === undefined || source === undefined) return result;
  const input = { source, layout: layoutOf(table) };
  node.finish([indices.storage], ([cotangent]) => {
    if (cotangent === undefined) return;
    const fits = (layout: Layout): boolean => tableLayout(layout) !== undefined;
    const targets = new Targets(storage.tracker, [input], { mode: 'accumulates', fits });
    for (const { output, previous } of targets.all) {
      if (previous === undefined) fill(device, output, 0);
      device.scatterAdd(viewOf(cotangent.view, flat), which, viewOf(output, tableLayout(output) ?? output));
    }
    targets.close();
  });
  return result;
}

/**
 * The transpose of `gather`: rows [rows, width] put to places of a table [count, width] that is 0 elsewhere. Places are
 * int32 [rows], all different.
 */
export function scatter(rows: Tensor, places: Tensor, count: number): Tensor {
  checkDevice('scatter', rows, [places]);
  checkFloat('scatter', [rows]);
  checkWhole('scatter', 'places', places);
  return withSuited(rows, isPacked(rows), (suited) => {
    const shape = [count, suited.shape[1] ?? 1];
    const node = startNode('scatter', [suited]);
    const result = suited.make('float32', shape, node?.output(shape));
    const { device, source, storage } = suited;
    const which = places.strided();
    fill(device, result.strided(), 0);
    device.scatterAdd(suited.strided(), which, result.strided());
    if (node === undefined || source === undefined) return result;
    const input = { source, layout: layoutOf(suited) };
    node.finish([places.storage], ([cotangent]) => {
      if (cotangent === undefined) return;
      const targets = new Targets(storage.tracker, [input], { mode: 'overwrites', fits: isPacked });
      for (const { output } of targets.all) device.gather(cotangent.view, which, output);
      targets.close();
    });
    return result;
  });
}
