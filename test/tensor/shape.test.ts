import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  areDisjoint,
  asMatrix,
  broadcastShapes,
  expandLayout,
  isPacked,
  type Layout,
  packed,
  permuteLayout,
  repeats,
  reshapeLayout,
  sizeOf,
  sliceLayout,
  toAxes,
  toAxis,
} from '../../src/tensor/shape.js';

/** The positions of a layout's elements in row-major order, index by index. */
function positions({ shape, strides, offset }: Layout): number[] {
  let found = [offset];
  for (const [axis, size] of shape.entries())
    found = found.flatMap((start) => Array.from({ length: size }, (_, i) => start + i * (strides[axis] ?? 0)));
  return found;
}

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });

/** Windows as users make them: packed, then permuted, sliced and expanded. */
const layouts = fc.tuple(shapes, fc.infiniteStream(fc.nat(1000))).map(([shape, stream]): Layout => {
  const draw = (limit: number): number => (stream.next().value ?? 0) % limit;
  let layout = packed(shape, draw(5));
  if (shape.length === 0) return layout;
  const axes = shape.map((_, axis) => axis);
  for (let i = axes.length - 1; i > 0; i--) {
    const j = draw(i + 1);
    [axes[i], axes[j]] = [axes[j] ?? 0, axes[i] ?? 0];
  }
  if (draw(2) === 0) layout = permuteLayout(layout, axes);
  const axis = draw(shape.length);
  const size = layout.shape[axis] ?? 1;
  const start = draw(size);
  if (draw(2) === 0) layout = sliceLayout(layout, axis, start, start + 1 + draw(size - start));
  if (draw(3) === 0)
    layout = expandLayout(
      layout,
      layout.shape.map((one) => (one === 1 ? 3 : one)),
    );
  return layout;
});

test('two shapes broadcast exactly where every axis from the right is equal or 1', () => {
  fc.assert(
    fc.property(shapes, shapes, (a, b) => {
      const rank = Math.max(a.length, b.length);
      const pairs = Array.from({ length: rank }, (_, i) => [a.at(-1 - i) ?? 1, b.at(-1 - i) ?? 1] as const).reverse();
      const agree = pairs.every(([one, other]) => one === other || one === 1 || other === 1);
      if (agree) expect(broadcastShapes('add', a, b)).toEqual(pairs.map(([one, other]) => Math.max(one, other)));
      else expect(() => broadcastShapes('add', a, b)).toThrow('add expects shapes that are equal, or 1');
    }),
  );
});

test('a broadcast error names the operation, both shapes and the axis', () => {
  expect(() => broadcastShapes('mul', [2, 3], [4, 3])).toThrow(
    'mul expects shapes that are equal, or 1, axis by axis from the right, received [[2, 3], [4, 3]]. Axis -2 is 2 in one and 4 in another',
  );
});

test('a reshaped layout shows the same elements in the same order, and a packed one always reshapes', () => {
  fc.assert(
    fc.property(layouts, fc.nat(5), (layout, choice) => {
      const size = sizeOf(layout.shape);
      const divisor = [1, 2, 3, 4, 6, 8].filter((one) => size % one === 0)[choice % 3] ?? 1;
      const shape = [divisor, 1, size / divisor];
      const reshaped = reshapeLayout(layout, shape);
      if (isPacked(layout)) expect(reshaped).toBeDefined();
      if (reshaped !== undefined) expect(positions(reshaped)).toEqual(positions(layout));
    }),
  );
});

test('a layout that needs a copy is not reshaped', () => {
  const transposed = permuteLayout(packed([2, 3]), [1, 0]);
  expect(reshapeLayout(transposed, [6])).toBeUndefined();
  expect(reshapeLayout(transposed, [3, 1, 2])?.strides).toEqual([1, 1, 3]);
});

test('a layout is packed exactly when its elements lie side by side', () => {
  fc.assert(
    fc.property(layouts, (layout) => {
      const sideBySide = positions(layout).every((position, i) => position === layout.offset + i);
      expect(isPacked(layout)).toBe(sideBySide);
    }),
  );
});

test('a layout repeats exactly when two indices name one element', () => {
  fc.assert(
    fc.property(layouts, (layout) => {
      const all = positions(layout);
      expect(repeats(layout)).toBe(new Set(all).size < all.length);
    }),
  );
});

test('a matrix of a layout has its elements, and unit steps along its rows', () => {
  fc.assert(
    fc.property(layouts, (layout) => {
      const matrix = asMatrix(layout);
      if (matrix === undefined) return;
      expect(positions(matrix)).toEqual(positions(layout));
      expect(matrix.shape).toEqual([sizeOf(layout.shape) / (layout.shape.at(-1) ?? 1), layout.shape.at(-1) ?? 1]);
      if ((matrix.shape[1] ?? 1) > 1) expect(matrix.strides[1]).toBe(1);
    }),
  );
});

test('windows on equal strides are disjoint exactly when they share no element', () => {
  const window = fc.record({ start: fc.nat(3), size: fc.integer({ min: 1, max: 4 }) });
  fc.assert(
    fc.property(window, window, window, window, (rows, columns, otherRows, otherColumns) => {
      const whole = packed([7, 7]);
      const cut = (along: typeof rows, across: typeof columns): Layout =>
        sliceLayout(
          sliceLayout(whole, 0, along.start, along.start + along.size),
          1,
          across.start,
          across.start + across.size,
        );
      const [a, b] = [cut(rows, columns), cut(otherRows, otherColumns)];
      const shared = positions(a).some((position) => positions(b).includes(position));
      expect(areDisjoint(a, b)).toBe(!shared);
    }),
  );
});

test('windows that cannot be compared count as overlapping', () => {
  expect(areDisjoint(packed([2, 3]), packed([6], 6))).toBe(false);
  expect(areDisjoint(packed([2, 3]), permuteLayout(packed([3, 2], 6), [1, 0]))).toBe(false);
});

test('axes count from both ends, and must be there once', () => {
  expect(toAxis('sum', -1, 3)).toBe(2);
  expect(toAxes('sum', [-1, 0], 3)).toEqual([0, 2]);
  expect(toAxes('sum', undefined, 2)).toEqual([0, 1]);
  expect(() => toAxis('sum', 3, 3)).toThrow('the tensor given to sum has axes -3 to 2, received 3');
  expect(() => toAxis('sum', 0, 0)).toThrow('has no axes');
  expect(() => toAxes('sum', [0, -2], 2)).toThrow('names each axis once');
});
