import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { attentionWithDropout } from '../../src/layers/attention-dropout.js';
import { Mode } from '../../src/layers/mode.js';
import { attention, gradcheck, type Tensor } from '../../src/tensor/index.js';
import { normal, valuesOf } from './support.js';

const device = await openReference();
const states = (time: number): Tensor[] => [1, 2, 3].map((seed) => normal(device, [2, time, 2, 4], seed));

describe('attention with dropout', () => {
  test.each([true, false])('of next to nothing is attention: causal %s', async (causal) => {
    const [query, key, value] = states(5) as [Tensor, Tensor, Tensor];
    for (const q of [query, query.slice(1, 3)]) {
      const options = { causal, scale: 0.7, dropout: 1e-15 };
      const wanted = await valuesOf(attention(q, key, value, { causal, scale: 0.7 }));
      const found = await valuesOf(attentionWithDropout(q, key, value, options, Mode.training(1, 1)));
      found.forEach((one, i) => {
        expect(one).toBeCloseTo(wanted[i] ?? 0, 12);
      });
    }
  });

  test('drops nothing in evaluation, and the same again by the same seed in training', async () => {
    const [query, key, value] = states(6) as [Tensor, Tensor, Tensor];
    const options = { causal: true, scale: 0.5, dropout: 0.5 };
    const run = (mode: Mode): Promise<number[]> => valuesOf(attentionWithDropout(query, key, value, options, mode));
    const plain = await valuesOf(attention(query, key, value, { causal: true, scale: 0.5 }));
    expect(await run(Mode.evaluation())).toEqual(plain);
    expect(await run(Mode.training(1, 2))).toEqual(await run(Mode.training(1, 2)));
    expect(await run(Mode.training(1, 2))).not.toEqual(await run(Mode.training(1, 3)));
  });

  test('has on average what attention has', async () => {
    const [query, key, value] = states(3) as [Tensor, Tensor, Tensor];
    const options = { causal: true, scale: 0.5, dropout: 0.4 };
    const plain = await valuesOf(attention(query, key, value, { causal: true, scale: 0.5 }));
    const sums = new Array<number>(plain.length).fill(0);
    const runs = 600;
    for (let step = 0; step < runs; step++) {
      const found = await valuesOf(attentionWithDropout(query, key, value, options, Mode.training(3, step)));
      found.forEach((one, i) => {
        sums[i] = (sums[i] ?? 0) + one / runs;
      });
    }
    const error = Math.sqrt(sums.reduce((sum, mean, i) => sum + (mean - (plain[i] ?? 0)) ** 2, 0) / plain.length);
    expect(error).toBeLessThan(0.1);
  });

  test('has the gradients of central differences', async () => {
    const inputs = states(3);
    for (const input of inputs) input.requiresGrad = true;
    const options = { causal: true, scale: 0.6, dropout: 0.3 };
    await gradcheck(
      (query, key, value) => attentionWithDropout(query, key, value, options, Mode.training(1, 1)),
      inputs as [Tensor, Tensor, Tensor],
    );
  });
});
