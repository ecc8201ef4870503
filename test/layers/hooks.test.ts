import { expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { onForward } from '../../src/layers/hooks.js';
import { Linear } from '../../src/layers/linear.js';
import { tensor } from '../../src/tensor/index.js';
import { initializer, valuesOf } from './support.js';

const device = await openReference();
const layer = new Linear(initializer(device), 2, 2);
const x = tensor(device, [1, 2], [1, 2]);

test('of two hooks each is undone alone, whichever goes first', async () => {
  const plain = await valuesOf(layer.forward(x));
  const heard: string[] = [];
  const hook = (word: string) => () => {
    heard.push(word);
    return undefined;
  };
  const [undoFirst, undoSecond] = [onForward(layer, hook('first')), onForward(layer, hook('second'))];
  layer.forward(x);
  expect(heard.splice(0)).toEqual(['first', 'second']);
  undoFirst();
  layer.forward(x);
  expect(heard.splice(0)).toEqual(['second']);
  undoFirst();
  undoSecond();
  expect(await valuesOf(layer.forward(x))).toEqual(plain);
  expect(heard).toEqual([]);
  expect(Object.hasOwn(layer, 'forward')).toBe(false);
});

test('a hook gets what the one before it gave', async () => {
  const plain = await valuesOf(layer.forward(x));
  const undo = [1, 2].map((by) => onForward(layer, ({ output }) => output.add(by)));
  expect(await valuesOf(layer.forward(x))).toEqual(plain.map((value) => value + 1 + 2));
  for (const one of undo) one();
});
