import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Heap } from '../../src/data/heap.js';

test('a heap gives its items in order, however pushes and pops are mixed', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer(), { nil: undefined })), (moves) => {
      const heap = new Heap<number>((a, b) => a < b);
      const model: number[] = [];
      for (const move of moves) {
        if (move === undefined) expect(heap.pop()).toBe(model.shift());
        else {
          heap.push(move);
          model.push(move);
          model.sort((a, b) => a - b);
        }
      }
      for (const item of model) expect(heap.pop()).toBe(item);
      expect(heap.pop()).toBeUndefined();
    }),
  );
});
