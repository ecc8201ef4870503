import type { View } from './device.js';

/**
 * The same elements in the same order with as few axes as possible: axes of size 1 go, and neighbouring axes that every
 * view walks through in one stride become one. At least one axis is left.
 */
export function collapse(views: readonly View[]): View[] {
  const shape = views[0]?.shape ?? [];
  const groups: number[][] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 1) continue;
    const last = groups.at(-1)?.at(-1);
    const joins =
      last !== undefined && views.every(({ strides }) => strides[last] === (strides[axis] ?? 0) * (shape[axis] ?? 1));
    if (joins) groups.at(-1)?.push(axis);
    else groups.push([axis]);
  }
  if (groups.length === 0) return views.map((view) => ({ ...view, shape: [shape.includes(0) ? 0 : 1], strides: [1] }));
  const sizes = groups.map((axes) => axes.reduce((product, axis) => product * (shape[axis] ?? 1), 1));
  return views.map((view) => ({
    ...view,
    shape: sizes,
    strides: groups.map((axes) => view.strides[axes.at(-1) ?? 0] ?? 0),
  }));
}
