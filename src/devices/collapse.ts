import type { View } from './device.js';

/**
 * The same elements in the same order with as few axes as possible: axes of size 1 go, and neighbouring axes that every
 * view walks through in one stride become one. At least one axis is left.
 */
export function collapse(views: readonly View[]): View[] {
  const shape = views[0]?.shape ?? [];
  const sizes: number[] = [];
  /** The innermost axis of each group of axes that become one. */
  const innermost: number[] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis] ?? 1;
    if (size === 1) continue;
    const last = innermost.length - 1;
    if (last >= 0 && joinsAll(views, innermost[last] ?? 0, axis, size)) {
      sizes[last] = (sizes[last] ?? 1) * size;
      innermost[last] = axis;
    } else {
      sizes.push(size);
      innermost.push(axis);
    }
  }
  if (sizes.length === 0) sizes.push(1);
  return views.map(({ buffer, offset, strides }) => ({
    buffer,
    offset,
    shape: sizes,
    strides: innermost.length === 0 ? [1] : innermost.map((axis) => strides[axis] ?? 0),
  }));
}

function joinsAll(views: readonly View[], outer: number, inner: number, size: number): boolean {
  for (const { strides } of views) if (strides[outer] !== (strides[inner] ?? 0) * size) return false;
  return true;
}
