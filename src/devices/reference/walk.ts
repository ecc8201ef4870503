import type { View } from '../device.js';
import { valuesOf } from './buffer.js';

/** The positions of a view's elements in its buffer, in row-major order. */
export function positions(view: View): number[] {
  let found = [view.offset];
  for (const [axis, size] of view.shape.entries()) {
    const stride = view.strides[axis] ?? 0;
    const next: number[] = [];
    for (const start of found) for (let i = 0; i < size; i++) next.push(start + i * stride);
    found = next;
  }
  return found;
}

/** Single elements of a view of up to four axes, by their indices. */
export interface Accessor {
  get(i: number, j?: number, k?: number, l?: number): number;
  set(value: number, i: number, j?: number, k?: number, l?: number): void;
  add(value: number, i: number, j?: number, k?: number, l?: number): void;
}

export function accessor(view: View): Accessor {
  const values = valuesOf(view);
  const { offset } = view;
  const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = view.strides;
  const at = (i: number, j: number, k: number, l: number): number => offset + i * s0 + j * s1 + k * s2 + l * s3;
  return {
    get: (i, j = 0, k = 0, l = 0) => values[at(i, j, k, l)] ?? Number.NaN,
    set: (value, i, j = 0, k = 0, l = 0) => {
      values[at(i, j, k, l)] = value;
    },
    add: (value, i, j = 0, k = 0, l = 0) => {
      const position = at(i, j, k, l);
      values[position] = (values[position] ?? Number.NaN) + value;
    },
  };
}
