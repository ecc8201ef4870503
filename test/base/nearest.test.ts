import fc from 'fast-check';
import { expect, test } from 'vitest';
import { didYouMean, nearest } from '../../src/base/nearest.js';

const names = ['relu', 'gelu', 'geluTanh', 'softplus', 'leakyRelu', 'weightDecay'];

test.each([
  ['gellu', 'gelu'],
  ['rleu', 'relu'],
  ['softpuls', 'softplus'],
  ['LeakyReLU', 'leakyRelu'],
  ['leaky_relu', 'leakyRelu'],
  ['weight-decay', 'weightDecay'],
  ['wieghtDecay', 'weightDecay'],
  ['soft', 'softplus'],
  ['leak', 'leakyRelu'],
])('%s is near %s', (written, name) => {
  expect(nearest(written, names)).toBe(name);
});

test.each([['banana'], ['convolution'], [''], ['w']])('nothing is near %j', (written) => {
  expect(nearest(written, names)).toBeUndefined();
});

test('a name is nearest to itself, and a name with one letter changed, left out or swapped to the name', () => {
  const edited = fc.constantFrom(...names).chain((name) =>
    fc
      .tuple(fc.constant(name), fc.nat(name.length - 2), fc.constantFrom('change', 'leave out', 'swap'))
      .map(([word, at, edit]): [string, string] => {
        const [before, a = '', b = '', after] = [word.slice(0, at), word[at], word[at + 1], word.slice(at + 2)];
        const middle = edit === 'swap' ? b + a : edit === 'change' ? `q${b}` : b;
        return [word, before + middle + after];
      }),
  );
  for (const name of names) expect(nearest(name, names)).toBe(name);
  fc.assert(
    fc.property(edited, ([name, written]) => {
      // `relu` and `gelu` are one letter apart: any of them is near.
      fc.pre(!/^.?.?elu|^.?lu|^.?eu/.test(written));
      expect(nearest(written, names)).toBe(name);
    }),
  );
});

test('the remedy names the nearest, else only where to look', () => {
  expect(didYouMean('gellu', names, 'See the list.')).toBe('Did you mean "gelu"? See the list.');
  expect(didYouMean('banana', names, 'See the list.')).toBe('See the list.');
  expect(didYouMean('gelu', [], 'See the list.')).toBe('See the list.');
});
