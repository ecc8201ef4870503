import { SluiceError } from '../../base/errors.js';
import type { View } from '../../devices/device.js';
import type { Expression } from '../../scalar/expression.js';
import { type Cotangent, startNode } from '../autograd.js';
import { combine, viewOf } from '../compute.js';
import { alias, contribute } from '../gradients.js';
import { expandLayout, isPacked, type Layout, packed, sizeOf } from '../shape.js';
import { Storage } from '../storage.js';
import { Tensor } from '../tensor.js';
import { layoutOf, temporary } from './copies.js';
import { programOf, type Tensors } from './map.js';

/** Windows of one shape on a tensor, by the names that expressions use. */
export type Windows = Readonly<Record<string, Layout>>;

/**
 * As `mapTensors`, but each expression overwrites the window of its place in a result of an operation, whose values
 * nobody may read afterwards. The gradient is taken in place too: it may depend on the other inputs alone.
 */
export function mapOver(
  outputs: readonly Expression[],
  x: Tensor,
  windows: Windows,
  others: Tensors,
  operation: string,
): Tensor {
  const layouts = Object.values(windows);
  const [{ shape } = x] = layouts;
  const program = programOf(operation, outputs, [...Object.keys(windows), ...Object.keys(others)], [], false);
  const operands = Object.values(others).map((other) => viewOf(other.strided(), expandLayout(other, shape)));
  const wanted = layouts.map((_, i) => i);
  const whole = x.offset === 0 && isPacked(x) && x.size === sizeOf(x.storage.shape);
  if (!whole || program.needs(wanted).some((i) => i < layouts.length)) {
    throw new SluiceError('internal', { rule: 'what is mapped over is a whole result, by a formula linear in it' });
  }
  const { device, source, storage } = x;
  const node = startNode(operation, [x]);
  const own = x.strided();
  const places = layouts.map((layout) => viewOf(own, layout));
  device.map(program.kernel, [...places, ...operands], [], places);
  storage.version++;
  const result = new Tensor(storage, layoutOf(x), node?.output(x.shape));
  if (node === undefined || source === undefined) return result;
  const input = { source, layout: layoutOf(x) };
  const saved = Object.values(others).map((other) => other.storage);
  node.finish(saved, ([cotangent]) => {
    if (cotangent === undefined) return;
    const own = writable(cotangent);
    const parts = layouts.map((layout) => viewOf(own.view, layout));
    const gradient = program.mapGradient(
      wanted,
      wanted.map(() => false),
    );
    const factors = gradient.inputs.flatMap((i) => operands[i - layouts.length] ?? []);
    const given = gradient.cotangents.flatMap((k) => parts[k] ?? []);
    device.map(gradient.kernel, [...factors, ...given], [], parts);
    if (!alias(input, own.storage)) contribute(storage.tracker, input, own.view);
    own.storage.letGo(temporary);
  });
  return result;
}

/** The cotangent, or a copy where somebody else reads it; held once more. */
export function writable({ storage, view }: Cotangent): Cotangent {
  const isOwn = storage.isExclusive;
  const own = isOwn ? storage : new Storage(storage.tracker, 'float32', view.shape);
  own.hold();
  if (isOwn) return { storage, view };
  const copy: View = { buffer: own.buffer, ...packed(view.shape) };
  combine(storage.tracker.device, view, copy, undefined);
  return { storage: own, view: copy };
}
