import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { decodeRope, encodeRope } from '../../src/formats/hugging-face/rope.js';
import { RotaryEmbedding } from '../../src/layers/rope.js';
import { type RopeScaling, ropeFrequencies } from '../../src/layers/rope-scaling.js';
import { normal, valuesOf } from './support.js';

const device = await openReference();

interface Case {
  readonly config: { readonly head_dim: number; readonly max_position_embeddings: number } & Record<string, unknown>;
  readonly length: number;
  readonly frequencies: readonly number[];
  readonly factor: number;
}
const cases = JSON.parse(await readFile(new URL('../golden/rope.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, Case>
>;

describe('frequencies of Transformers', () => {
  test.each(Object.entries(cases))('are ours: %s', (_, { config, length, frequencies, factor }) => {
    const { head_dim: headDim, max_position_embeddings: positions } = config;
    const { ropeTheta: theta, ropeScaling } = decodeRope(config, positions);
    const found = ropeFrequencies({ headDim, theta, positions }, ropeScaling, length);
    expect(found.length).toBe(frequencies.length);
    // Theirs are float32.
    found.forEach((value, i) => {
      expect(Math.abs(value / (frequencies[i] ?? 0) - 1)).toBeLessThan(2e-6);
    });
    expect(ropeScaling?.type === 'yarn' ? ropeScaling.attentionFactor : 1).toBeCloseTo(factor, 6);
  });

  test.each(Object.entries(cases))('are read back from what we write: %s', (_, { config }) => {
    const positions = config.max_position_embeddings;
    const rope = decodeRope(config, positions);
    expect(decodeRope(JSON.parse(JSON.stringify(encodeRope(rope))), positions)).toEqual(rope);
  });
});

describe('scaled positions', () => {
  const scaling: RopeScaling = { type: 'dynamic', factor: 3 };
  const x = normal(device, [1, 10, 1, 8]);

  test('of a dynamic kind reach further than the model, by frequencies of the whole text', async () => {
    const rope = new RotaryEmbedding(device, 4, 8, 100, scaling);
    expect(rope.positions).toBe(12);
    const stretched = 100 * ((3 * 10) / 4 - 2) ** (8 / 6);
    const plain = new RotaryEmbedding(device, 10, 8, stretched);
    expect(await valuesOf(rope.forward(x))).toEqual(await valuesOf(plain.forward(x)));
    const short = x.slice(1, 0, 4);
    const within = new RotaryEmbedding(device, 4, 8, 100);
    expect(await valuesOf(rope.forward(short))).toEqual(await valuesOf(within.forward(short)));
    expect(() => rope.forward(x, 3)).toThrow(/at most 12 positions, received 13/);
  });

  test('of yarn make queries and keys longer, too', async () => {
    const yarn: RopeScaling = {
      ...{ type: 'yarn', factor: 1, originalPositions: 4, attentionFactor: 1.5 },
      ...{ betaFast: 32, betaSlow: 1, truncate: true },
    };
    const [scaled, plain] = [new RotaryEmbedding(device, 10, 8, 100, yarn), new RotaryEmbedding(device, 10, 8, 100)];
    const wanted = await valuesOf(plain.forward(x));
    (await valuesOf(scaled.forward(x))).forEach((value, i) => {
      expect(value).toBeCloseTo(1.5 * (wanted[i] ?? 0), 12);
    });
  });

  test('are computed anew as texts grow, the same for all that came before', async () => {
    const [grown, whole] = [new RotaryEmbedding(device, 2000, 8, 100), new RotaryEmbedding(device, 2000, 8, 100)];
    const one = x.slice(1, 0, 1);
    const first = await valuesOf(grown.forward(one, 500));
    const far = await valuesOf(grown.forward(one, 1999));
    expect(await valuesOf(whole.forward(one, 1999))).toEqual(far);
    expect(await valuesOf(grown.forward(one, 500))).toEqual(first);
  });
});
