import { describe, expect, test } from 'vitest';
import { prelu, xielu } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { gateOf } from '../../src/formats/hugging-face/activation-names.js';
import { Attention } from '../../src/layers/attention.js';
import { Embedding } from '../../src/layers/embedding.js';
import { GatedFeedForward } from '../../src/layers/feed-forward.js';
import { FormulaLayer } from '../../src/layers/formula-layer.js';
import { KeyValueCache } from '../../src/layers/key-value-cache.js';
import { Layer } from '../../src/layers/layer.js';
import { Linear } from '../../src/layers/linear.js';
import { RmsNorm } from '../../src/layers/normalization.js';
import { RotaryEmbedding } from '../../src/layers/rope.js';
import { llama } from '../../src/models/llama.js';
import { endStep, gradcheck, internal, memory, type Tensor, tensor } from '../../src/tensor/index.js';
import { Optimizer } from '../../src/training/optimizer.js';
import { initializer, normal, readerOf, shake, valuesOf } from './support.js';

const device = await openReference();

class Part extends Layer {
  readonly upProj = new Linear(initializer(device, 2), 2, 3, { bias: true });
  readonly norms = [new RmsNorm(initializer(device), 3), new RmsNorm(initializer(device), 3)];
  readonly notLearned = tensor(device, [1, 2]).keep();
  readonly size = 3;
}

class Whole extends Layer {
  readonly first = new Part();
  readonly tied: Tensor;
  readonly lmHead = new Linear(initializer(device, 3), 2, 2);
  constructor() {
    super();
    this.tied = this.first.upProj.weight;
  }
}

describe('a layer', () => {
  test('has its tensors and its sublayers as parameters, in the order of its properties, a shared one once', () => {
    const whole = new Whole();
    expect(whole.namedParameters().map(({ name, decay }) => [name, decay])).toEqual([
      ['first.up_proj.weight', true],
      ['first.up_proj.bias', false],
      ['first.norms.0.weight', false],
      ['first.norms.1.weight', false],
      ['lm_head.weight', true],
    ]);
    expect(whole.parameterCount).toBe(6 + 3 + 3 + 3 + 4);
  });

  test('keeps its parameters through steps', async () => {
    const linear = new Linear(initializer(device), 2, 2);
    endStep(device);
    endStep(device);
    expect((await valuesOf(linear.weight)).every(Number.isFinite)).toBe(true);
  });

  const values = (change: (map: Map<string, { shape: number[]; data: number[] }>) => void = () => undefined) => {
    const map = new Map([
      ['weight', { shape: [2, 2], data: [1, 2, 3, 4] }],
      ['bias', { shape: [2], data: [5, 6] }],
    ]);
    change(map);
    return map;
  };

  test('loads values by name', async () => {
    const linear = new Linear(initializer(device), 2, 2, { bias: true });
    await linear.load(readerOf(values()));
    expect(await valuesOf(linear.forward(tensor(device, [1, 10], [1, 2])))).toEqual([26, 49]);
  });

  test.each<[string, Parameters<typeof values>[0], RegExp]>([
    [
      'a missing tensor',
      (map) => map.delete('bias'),
      /tensors of their model \(1 missing\), received \["missing bias"\]/,
    ],
    [
      'an unexpected one',
      (map) => map.set('wieght', { shape: [1], data: [1] }),
      /1 unexpected.*"unexpected wieght".*Is wieght what should be weight\?/,
    ],
    [
      'another shape',
      (map) => map.set('bias', { shape: [3], data: [1, 2, 3] }),
      /bias has the shape \[2\], received \[3\]/,
    ],
  ])('refuses %s, and is as before', async (_, change, message) => {
    const linear = new Linear(initializer(device), 2, 2, { bias: true });
    const before = await valuesOf(linear.weight);
    await expect(linear.load(readerOf(values(change)))).rejects.toMatchObject({
      code: 'checkpoint',
      message: expect.stringMatching(message),
    });
    expect(await valuesOf(linear.weight)).toEqual(before);
  });
});

describe('a layer that is disposed of', () => {
  test('gives back its tensors, those of its sublayers and their gradients, shared ones once', async () => {
    const own = await openReference();
    const { buffers } = memory(own);
    const norm = new RmsNorm(initializer(own), 3);
    class Nested extends Layer {
      readonly upProj = new Linear(initializer(own), 3, 3, { bias: true });
      readonly parts = [new Linear(initializer(own), 3, 3), norm];
      readonly tied = this.upProj.weight;
      readonly table = tensor(own, [1, 2]).keep();
    }
    const layer = new Nested();
    const loss = internal(() => norm.forward(layer.upProj.forward(normal(own, [2, 3]))).sum());
    loss.backward();
    loss.dispose();
    expect(memory(own).keptBuffers).toBe(8); // five tensors, three gradients
    layer.dispose();
    layer.dispose();
    expect(memory(own)).toMatchObject({ buffers, keptBuffers: 0, keptBytes: 0 });
    expect(() => layer.upProj.forward(normal(own, [2, 3]))).toThrow(expect.objectContaining({ code: 'freed' }));
  });

  test.each([
    ['a learned activation', () => new FormulaLayer(initializer(device), prelu, 3)],
    ['a block', () => new GatedFeedForward(initializer(device), 4, 6, gateOf(xielu), { bias: true })],
    ['attention', () => new Attention(initializer(device), 4, { heads: 2, bias: true })],
    ['rotary embedding', () => new RotaryEmbedding(device, 4, 4, 1e4)],
    ['a model', () => llama(device, { vocabSize: 5, dim: 4, layers: 2, heads: 2, context: 4 })],
    ['a cache', () => new KeyValueCache(device, { batch: 1, positions: 2, keyValueHeads: 1, headDim: 2 })],
    [
      'an optimizer',
      () => {
        using linear = new Linear(initializer(device), 2, 2);
        return new Optimizer(device, linear.namedParameters());
      },
    ],
  ])('by `using` leaves nothing behind: %s', (_, make) => {
    const before = memory(device);
    {
      using made = make();
      expect(made).toBeDefined();
      expect(memory(device).keptBytes).toBeGreaterThan(before.keptBytes);
    }
    expect(memory(device)).toMatchObject({ buffers: before.buffers, keptBytes: before.keptBytes });
  });
});

describe('linear', () => {
  test('is x W^T + b over the last axis', async () => {
    const linear = shake(new Linear(initializer(device), 3, 2, { bias: true }));
    const [x, weight, bias] = [
      normal(device, [2, 2, 3]),
      await valuesOf(linear.weight),
      await valuesOf(linear.bias ?? linear.weight),
    ];
    const output = linear.forward(x);
    expect(output.shape).toEqual([2, 2, 2]);
    const inputs = await valuesOf(x);
    (await valuesOf(output)).forEach((value, at) => {
      const [row, i] = [Math.floor(at / 2), at % 2];
      const products = [0, 1, 2].map((j) => (inputs[3 * row + j] ?? 0) * (weight[3 * i + j] ?? 0));
      expect(value).toBeCloseTo(
        products.reduce((sum, product) => sum + product, bias[i] ?? 0),
        13,
      );
    });
  });

  test('has the gradients of central differences', async () => {
    const linear = shake(new Linear(initializer(device), 3, 2, { bias: true }));
    const x = normal(device, [2, 3]);
    x.requiresGrad = true;
    await gradcheck((input) => linear.forward(input), [x, ...linear.parameters()]);
  });

  test('refuses an input of another width, naming both', () => {
    const linear = new Linear(initializer(device), 3, 2);
    expect(() => linear.forward(normal(device, [2, 4]))).toThrow(
      /weight \[2, 3\] takes a last axis of 3, received \[2, 4\]/,
    );
  });
});

describe('an embedding', () => {
  test('looks up a vector for each token', async () => {
    const embedding = new Embedding(initializer(device), 4, 2);
    const weight = await valuesOf(embedding.weight);
    const output = embedding.forward(tensor(device, Int32Array.of(3, 0, 3), [1, 3]));
    expect(output.shape).toEqual([1, 3, 2]);
    expect(await valuesOf(output)).toEqual([6, 7, 0, 1, 6, 7].map((at) => weight[at]));
  });

  test('collects the gradients of a token that comes several times, and does not decay', async () => {
    const embedding = shake(new Embedding(initializer(device), 3, 2));
    const tokens = tensor(device, Int32Array.of(2, 0, 2, 2), [2, 2]);
    await gradcheck(() => embedding.forward(tokens), embedding.parameters());
    expect(embedding.namedParameters().map(({ decay }) => decay)).toEqual([false]);
  });
});

describe('initial values', () => {
  test('depend on the seed and the order alone, and are the same on every device', async () => {
    const wasm = await openWasm({ threads: 1 });
    const make = (on: typeof device, seed: number): Promise<number[]> => {
      const init = initializer(on, seed);
      init.normal([3], 1);
      return valuesOf(init.normal([64], 0.02));
    };
    const [first, again, other, there] = [
      await make(device, 1),
      await make(device, 1),
      await make(device, 2),
      await make(wasm, 1),
    ];
    await wasm.close();
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    there.forEach((value, i) => {
      expect(value).toBeCloseTo(first[i] ?? 0, 8);
    });
  });

  test('have the deviation asked for', async () => {
    const values = await valuesOf(initializer(device).normal([100, 100], 0.02));
    const deviation = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / 1e4);
    expect(Math.abs(deviation - 0.02)).toBeLessThan((5 * 0.02) / Math.sqrt(2e4));
  });
});
