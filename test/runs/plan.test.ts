import { describe, expect, test } from 'vitest';
import { MemoryTokens } from '../../src/data/token-source.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { Initializer } from '../../src/layers/initialization.js';
import { Llama } from '../../src/models/llama.js';
import { trainingBytes } from '../../src/models/summary.js';
import { complete } from '../../src/runs/complete.js';
import { configOf, feedForwardOf } from '../../src/runs/model.js';
import { checkMemory, plan } from '../../src/runs/plan.js';
import type { PartialSettings } from '../../src/runs/settings.js';
import { causalModelNamed } from '../../src/runs/tasks/causal-models.js';
import { Trainer } from '../../src/training/trainer.js';

const device = await openReference();
const settings = (more: PartialSettings = {}) => complete({ data: 'x', dim: 32, layers: 2, heads: 4, ...more });

describe('a plan', () => {
  test('says tokens, memory and time, more for more', async () => {
    const [small, large] = [settings(), settings({ dim: 64, batch: 32, accumulate: 2 })];
    const [less, more] = [
      await plan(device, causalModelNamed().design(small, 100), small),
      await plan(device, causalModelNamed().design(large, 100), large),
    ];
    expect([less.tokensPerStep, more.tokensPerStep]).toEqual([2048, 8192]);
    expect(more.memoryBytes).toBeGreaterThan(less.memoryBytes);
    expect(more.parameters).toBeGreaterThan(less.parameters);
    expect(less.estimatedSecondsPerStep).toBeGreaterThan(0);
  });

  test.each<[string, PartialSettings, number, RegExp]>([
    [
      'the size of the model',
      { dim: 8192, layers: 48, heads: 64 },
      32_000,
      /is for the size of the model: lower --dim or/,
    ],
    ['the batch', { batch: 65_536 }, 2048, /the batch of 65536 x 128 tokens: lower --batch \(and raise --accumulate\)/],
    [
      'a long context',
      { batch: 1, context: 8_388_608 },
      2048,
      /the batch of 1 x 8388608 tokens: lower --context first/,
    ],
    [
      'the vocabulary',
      { batch: 64 },
      2_000_000,
      /the vocabulary of 2000000: lower --tokenizer bpe:SIZE first; then --/,
    ],
  ])('of more than the device can address is refused there, and names what asks most: %s', (_, given, size, message) => {
    const narrow = { ...device, addressableBytes: 2 ** 32 };
    const large = settings(given);
    const check = () => checkMemory(narrow, causalModelNamed().design(large, size), large);
    expect(check).toThrow(
      /a run fits in [\d.]+ GiB of memory here, received "about [\d.]+ GiB"\. Most of it, [\d.]+ GiB/,
    );
    expect(check).toThrow(message);
  });
});

describe('the memory of a training step', () => {
  test.each<[string, PartialSettings]>([
    ['a gated block', { dim: 64, layers: 3, context: 128, batch: 16 }],
    [
      'a plain block with dropout',
      { dim: 64, layers: 2, context: 64, batch: 32, ffn: 'mlp', activation: 'gelu', dropout: 0.1 },
    ],
    ['few heads for keys and values', { dim: 96, layers: 2, heads: 6, kvHeads: 2, context: 256, batch: 4 }],
    ['a large vocabulary', { dim: 32, layers: 1, context: 64, batch: 16 }],
  ])('with %s is what is said, or up to a half less', async (name, given) => {
    const wasm = await openWasm({ threads: 2 });
    const chosen = settings(given);
    const config = configOf(chosen, name.includes('vocabulary') ? 5000 : 300);
    const said = trainingBytes(config, chosen.batch, chosen.context);
    const tokens = new MemoryTokens(Array.from({ length: 2000 }, (_, i) => (7 * i) % 300));
    const { batch, context } = chosen;
    const trainer = new Trainer(wasm, new Llama(new Initializer(wasm, 1), config), tokens, {
      batch,
      context,
      accumulate: 1,
      seed: 1,
    });
    for (let step = 0; step < 3; step++) await trainer.step(1e-3);
    const { peakBytes } = wasm.memory();
    await wasm.close();
    expect(peakBytes).toBeLessThanOrEqual(said);
    expect(peakBytes).toBeGreaterThan(0.66 * (said - 2 ** 24));
  });
});

describe('the model of settings', () => {
  test.each([
    [{ ffn: 'swiglu' }, 'gate', 'swiglu'],
    [{ ffn: 'GEGLU' }, 'gate', 'geglu'],
    [{ ffn: 'gated', activation: 'gelu' }, 'gate', 'geglu'],
    [{ ffn: 'gated' }, 'gate', 'swiglu'],
    [{ ffn: 'mlp' }, 'activation', 'relu2'],
    [{ ffn: 'mlp', activation: 'gelu_new' }, 'activation', 'geluTanh'],
    [{ ffn: 'mlp', activation: ' x * x ' }, 'activation', 'x * x'],
  ])('has for %o the %s %s', (given, kind, name) => {
    expect(feedForwardOf(given)).toMatchObject({ kind, name });
  });

  test.each([
    [
      { ffn: 'gate' },
      /mlp, gated, or a gate or a row function of the catalogue, received "gate"\. Did you mean "gated"/,
    ],
    [{ ffn: 'relu' }, /or a row function of the catalogue, received "relu"\. Did you mean "reglu"/],
    [{ ffn: 'mlp', activation: 'swiglu' }, /an activation is one of the catalogue, received "swiglu"/],
    [{ ffn: 'mlp', activation: 'softmax' }, /an activation is one of the catalogue/],
    [{ ffn: 'mlp', activation: 'x*y' }, /uses the variables x, received "y"/],
    [{ ffn: 'mlp', activation: 'sum(x)' }, /of single numbers, received "sum". sum runs along a row/],
    [{ ffn: 'mlp', activation: '' }, /position 1 has the end of the text/],
  ])('has none for %o', (given, message) => {
    expect(() => feedForwardOf(given)).toThrow(message);
  });

  test('suggests heads that divide', () => {
    expect(() => configOf(settings({ dim: 96, heads: 5 }), 100)).toThrow(
      /dim divided by heads is the width of a head, an even whole number, received "96 \/ 5 = 19\.2"\. Try heads 3\./,
    );
  });
});
