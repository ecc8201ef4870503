import { describe, expect, test } from 'vitest';
import { relu2, swiglu } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { decodeConfig, encodeConfig } from '../../src/formats/hugging-face/config.js';
import { Initializer } from '../../src/layers/initialization.js';
import { Mode } from '../../src/layers/mode.js';
import { Llama, llama, llamaConfig } from '../../src/models/llama.js';
import { summarize } from '../../src/models/summary.js';
import { gradcheck, tensor } from '../../src/tensor/index.js';
import { crossEntropy } from '../../src/training/losses.js';
import { shake, valuesOf } from '../layers/support.js';
import { distance, golden } from './golden.js';
import { logitsByLoops, type Weight } from './loops.js';

const device = await openReference();

describe('plain loops', () => {
  test.each(
    golden.filter(({ config }) => ['llama', 'arcee'].includes(String(config['model_type']))),
  )('give the logits that Transformers gives: $name', ({ config, weights, expected }) => {
    const [inputs, logits] = [expected.get('inputs'), expected.get('logits')];
    const time = inputs?.shape[1] ?? 0;
    const texts = Array.from({ length: inputs?.shape[0] ?? 0 }, (_, row) =>
      Array.from(inputs?.data.subarray(row * time, (row + 1) * time) ?? []),
    );
    const byLoops = texts.flatMap((ids) => logitsByLoops(config, weights, ids));
    expect(distance(byLoops, logits?.data ?? [])).toBeLessThan(1e-6);
  });
});

const sizes = { vocabSize: 7, dim: 8, layers: 2, heads: 4, kvHeads: 2, context: 6, hidden: 5 };

describe.each([
  { attentionBias: true, mlpBias: false },
  { attentionBias: false, mlpBias: true },
  { attentionBias: true, mlpBias: true },
])('a model with %j', (biases) => {
  test.each([
    ['llama', swiglu, true],
    ['llama with a head of its own', swiglu, false],
    ['arcee', relu2, true],
  ] as const)('computes what plain loops do of its config.json and its weights: %s', async (_, feedForward, tied) => {
    const config = { ...llamaConfig({ ...sizes, ...biases, feedForward }), tieWordEmbeddings: tied };
    const json = JSON.parse(JSON.stringify(encodeConfig(config))) as Record<string, unknown>;
    const model = shake(new Llama(new Initializer(device, 0), decodeConfig(json)));
    const weights = new Map<string, Weight>();
    for (const { name, tensor: weight } of model.namedParameters())
      weights.set(name, { shape: weight.shape, data: await weight.toArray() });
    const ids = [3, 0, 6, 6, 1];
    const logits = model.forward(tensor(device, Int32Array.from(ids), [1, 5]), Mode.evaluation());
    const byLoops = logitsByLoops({ ...json, rope_parameters: { rope_theta: 10_000 } }, weights, ids);
    expect(distance(await valuesOf(logits), byLoops)).toBeLessThan(1e-12);
  });

  test("has biases under Hugging Face's names, of no decay, and counts them", () => {
    const model = llama(device, { ...sizes, ...biases });
    const found = model.namedParameters().filter(({ name }) => name.endsWith('.bias'));
    const names = [
      ...(biases.attentionBias ? ['q', 'k', 'v', 'o'].map((part) => `self_attn.${part}_proj.bias`) : []),
      ...(biases.mlpBias ? ['gate', 'up', 'down'].map((part) => `mlp.${part}_proj.bias`) : []),
    ];
    expect(found.map(({ name }) => name)).toEqual(
      [0, 1].flatMap((layer) => names.map((name) => `model.layers.${layer}.${name}`)),
    );
    expect(found.some(({ decay }) => decay)).toBe(false);
    for (const feedForward of [swiglu, relu2]) {
      const other = llama(device, { ...sizes, ...biases, feedForward });
      expect(summarize(other.config).parameters).toBe(other.parameterCount);
    }
  });

  test('has the gradients of central differences', async () => {
    const model = shake(llama(device, { ...sizes, ...biases, vocabSize: 5, dim: 4, layers: 1, heads: 2, hidden: 3 }));
    const [inputs, targets] = [
      [3, 0, 4],
      [0, 4, 1],
    ].map((ids) => tensor(device, Int32Array.from(ids), [1, 3]));
    if (inputs === undefined || targets === undefined) throw new Error('two tensors were made');
    const loss = () => crossEntropy(model.forward(inputs, Mode.evaluation()), targets).sum();
    expect((await gradcheck(loss, model.parameters())).compared).toBe(model.parameterCount);
  });
});
