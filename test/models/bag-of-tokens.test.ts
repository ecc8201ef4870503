import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { Mode } from '../../src/layers/mode.js';
import { BagOfTokens } from '../../src/models/bag-of-tokens.js';
import { mlpConfig } from '../../src/models/mlp.js';
import { gradcheck, type Tensor, tensor } from '../../src/tensor/index.js';
import { initializer, valuesOf } from '../layers/support.js';

const device = await openReference();
const mlp = mlpConfig({ inputs: 3, hidden: [4], outputs: 2 });
const model = new BagOfTokens(initializer(device), { vocabSize: 7, mlp });
const ids = (values: number[], length: number): Tensor =>
  tensor(device, Int32Array.from(values), [values.length / length, length]);

describe('a bag of tokens', () => {
  test('gives the same for tokens in any order, however much they are padded', async () => {
    const plain = model.forward(ids([3, 5], 2), tensor(device, [1, 1], [1, 2]), Mode.evaluation());
    const mask = tensor(device, [1, 1, 0, 0, 0, 1, 1, 0], [2, 4]);
    // Padding is token 0 and token 6: neither is seen.
    const padded = model.forward(ids([3, 5, 0, 0, 6, 5, 3, 6], 4), mask, Mode.evaluation());
    const [a = 0, b = 0] = await valuesOf(plain);
    (await valuesOf(padded)).forEach((value, i) => {
      expect(value).toBeCloseTo(i % 2 === 0 ? a : b, 13);
    });
  });

  test('passes no gradient to padding', async () => {
    const output = model.forward(ids([3, 5, 0], 3), tensor(device, [1, 1, 0], [1, 3]), Mode.evaluation());
    output.sum().backward();
    const gradient = Array.from((await model.embedding.weight.grad?.toArray()) ?? []);
    expect(gradient.slice(0, 3)).toEqual([0, 0, 0]);
    expect(gradient.slice(9, 12).some((value) => value !== 0)).toBe(true);
    model.embedding.weight.zeroGrad();
  });

  test('has the gradients of central differences', async () => {
    const mask = tensor(device, [1, 1, 0, 1, 1, 1], [2, 3]);
    await gradcheck(() => model.forward(ids([3, 5, 0, 1, 1, 2], 3), mask, Mode.evaluation()).sum(), model.parameters());
  });

  test('takes a mask of the shape of its tokens', () => {
    expect(() => model.forward(ids([1, 2], 2), tensor(device, [1], [1, 1]), Mode.evaluation())).toThrow(
      /the mask of a bag/,
    );
  });
});
