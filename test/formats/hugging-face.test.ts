import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import {
  type Activation,
  bilinear,
  catalogue,
  clampedSwiglu,
  drelu,
  Formula,
  find,
  type Gate,
  geglu,
  gegluTanh,
  glu,
  leakyRelu,
  prelu,
  readFormula,
  reglu,
  relu2,
  resolveActivation,
  rrelu,
  silu,
  swiglu,
  swish,
  xielu,
} from '../../src/activations/index.js';
import { gateOf, hiddenAct } from '../../src/formats/hugging-face/activation-names.js';
import { decodeConfig, encodeConfig } from '../../src/formats/hugging-face/config.js';
import { encodeGenerationConfig } from '../../src/formats/hugging-face/generation-config.js';
import { llamaConfig } from '../../src/models/llama.js';
import { variable } from '../../src/scalar/expression.js';
import { simplify } from '../../src/scalar/simplify.js';

const shape = { vocabSize: 300, dim: 32, layers: 2, heads: 4, kvHeads: 2, context: 64 };
const golden = async (name: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(new URL(`../golden/${name}/config.json`, import.meta.url), 'utf8'));

describe("Transformers' name of a block's activation", () => {
  test.each<[string | undefined, Gate | Activation]>([
    ['silu', swiglu],
    ['silu', swiglu.with({ beta: 1 })],
    ['silu', gateOf(silu)],
    ['silu', gateOf(swish)],
    ['silu', gateOf(resolveActivation('x/(1 + exp(-x))'))],
    ['quick_gelu', swiglu.with({ beta: 1.702 })],
    ['quick_gelu', gateOf(swish.with({ beta: 1.702 }))],
    ['gelu', geglu],
    ['gelu_pytorch_tanh', gegluTanh],
    ['relu', reglu],
    ['sigmoid', glu],
    ['linear', bilinear],
    ['relu2', relu2],
    ['mish', resolveActivation('x*tanh(softplus(x))')],
    ['mish', gateOf(resolveActivation('x * tanh(log(1 + exp(x)))'))],
    ['leaky_relu', leakyRelu],
    [undefined, leakyRelu.with({ slope: 0.2 })],
    [undefined, swiglu.with({ beta: 1.7 })],
    [undefined, swiglu.with({ beta: 'learned' })],
    [undefined, drelu],
    [undefined, clampedSwiglu],
    ['prelu', prelu],
    ['prelu', leakyRelu.with({ slope: 'learned' })],
    ['xielu', gateOf(xielu)],
    [undefined, xielu.with({ beta: 0.6 })],
    [undefined, rrelu],
    [undefined, resolveActivation('x*tanh(softplus(2*x))')],
  ])('is %s', (name, formula) => {
    expect(hiddenAct(formula)).toBe(name);
  });

  test.each<[string, Activation]>([
    ['swiglu', silu],
    ['swiglu', swish],
    ['geglu', resolveActivation('gelu(x)')],
    ['bilinear', resolveActivation('x*1')],
    ['miGate', new Formula('activation', 'mi', variable('x').exp(), {}, { source: '' })],
    ['swishGate', swish.with({ beta: 'learned' })],
  ])('names its gate %s by what it computes', (name, activation) => {
    expect(gateOf(activation).name).toBe(name);
  });

  test('is one for each that Transformers computes, as a gate and plain', () => {
    const named = catalogue().filter(
      (formula) => formula.kind === 'activation' && hiddenAct(formula as Activation) !== undefined,
    );
    expect(named.map(({ name }) => name).sort()).toEqual(
      [
        ...['gelu', 'gelu10', 'geluTanh', 'hardSwish', 'identity', 'laplace', 'leakyRelu', 'mish', 'quickGelu', 'relu'],
        ...['prelu', 'relu2', 'relu6', 'sigmoid', 'silu', 'sqrtSoftplus', 'swish', 'tanh', 'xielu'],
      ].sort(),
    );
    for (const formula of named)
      expect(hiddenAct(gateOf(formula as Activation))).toBe(hiddenAct(formula as Activation));
  });
});

describe('a gate made of an activation', () => {
  test('has the name of the catalogue where there is one', () => {
    expect([gateOf(silu).name, gateOf(find('gelu', 'activation')).name, gateOf(prelu).name]).toEqual([
      'swiglu',
      'geglu',
      'preluGate',
    ]);
  });

  test('keeps what the activation learns and draws', () => {
    expect(gateOf(prelu).learned).toEqual(['slope']);
    expect(gateOf(rrelu).usesNoise).toBe(true);
    // Its constant is called like the gate's other input.
    const threshold = find('threshold', 'activation').with({ value: 3 });
    expect(gateOf(threshold).expression).toBe(threshold.of(variable('gate')).mul(variable('value')));
  });
});

describe('config.json', () => {
  test.each([
    ['llama', swiglu],
    ['arcee', relu2],
  ] as const)('of a %s has only keys that Transformers writes or reads', async (name, feedForward) => {
    const written = encodeConfig(llamaConfig({ ...shape, feedForward }));
    const theirs = Object.keys(await golden(name));
    // Before version 5 it kept these at the top.
    const older = ['rope_theta', 'torch_dtype'];
    for (const key of Object.keys(written)) expect([...theirs, ...older]).toContain(key);
    expect(written).toMatchObject({ model_type: name, dtype: 'float32', tie_word_embeddings: true });
    for (const key of ['hidden_size', 'num_hidden_layers', 'vocab_size', 'head_dim', 'architectures', 'hidden_act']) {
      expect(written).toHaveProperty(key);
    }
  });

  test('and generation_config.json name the token that ends a text, where there is one', () => {
    const config = llamaConfig(shape);
    expect([encodeConfig(config)['eos_token_id'], encodeGenerationConfig()]).toEqual([
      null,
      { _from_model_config: true },
    ]);
    expect([encodeConfig(config, 0)['eos_token_id'], encodeGenerationConfig(0)]).toEqual([
      0,
      { _from_model_config: true, eos_token_id: 0 },
    ]);
  });

  test.each<[string, Gate | Activation]>([
    ['swiglu', swiglu],
    ['geglu', geglu],
    ['relu2', relu2],
    ['mish', find('mish', 'activation')],
  ])('read back gives the same model: %s', (_, feedForward) => {
    const config = llamaConfig({ ...shape, feedForward });
    const read = decodeConfig(JSON.parse(JSON.stringify(encodeConfig(config))) as Record<string, unknown>);
    expect({ ...read, feedForward: undefined }).toEqual({ ...config, feedForward: undefined });
    expect(read.feedForward.kind).toBe(feedForward.kind);
    expect(simplify(read.feedForward.expression)).toBe(simplify(feedForward.expression));
  });

  test('names a formula that Transformers lacks so that it fails to load there, and says it itself', () => {
    const feedForward = drelu;
    const written = encodeConfig(llamaConfig({ ...shape, feedForward }));
    expect(written['hidden_act']).toBe('sluice:drelu');
    const json = JSON.parse(JSON.stringify(written)) as Record<string, unknown>;
    const stored = readFormula(JSON.parse(JSON.stringify(feedForward)));
    expect(decodeConfig(json, stored).feedForward).toBe(stored);
    expect(simplify(decodeConfig(json).feedForward.expression)).toBe(simplify(feedForward.expression));
    const { sluice_feed_forward: _, ...without } = json;
    expect(() => decodeConfig(without)).toThrow(/is one of the catalogue/);
  });

  test('of Transformers is read with its defaults', async () => {
    const json = await golden('llama-head-dim');
    expect(decodeConfig(json)).toMatchObject({
      headDim: 16,
      ropeTheta: 500_000,
      rmsNormEps: 1e-6,
      tieWordEmbeddings: true,
    });
    const { head_dim: _, num_key_value_heads: __, rope_parameters: ___, rms_norm_eps: ____, ...old } = json;
    expect(decodeConfig({ ...old, rope_theta: 1e6, hidden_act: 'gelu_new' })).toMatchObject({
      headDim: 8,
      numKeyValueHeads: 4,
      ropeTheta: 1e6,
      rmsNormEps: 1e-6,
    });
    expect(decodeConfig({ ...old, num_key_value_heads: null, head_dim: null })).toMatchObject({
      headDim: 8,
      numKeyValueHeads: 4,
    });
  });

  test.each([
    [{ attention_bias: true }, { attentionBias: true, mlpBias: false }],
    [{ mlp_bias: true }, { attentionBias: false, mlpBias: true }],
    [
      { attention_bias: true, mlp_bias: true },
      { attentionBias: true, mlpBias: true },
    ],
    [
      { attention_bias: null, mlp_bias: undefined },
      { attentionBias: false, mlpBias: false },
    ],
    [{ tie_word_embeddings: true }, { tieWordEmbeddings: true }],
    [{ tie_word_embeddings: false }, { tieWordEmbeddings: false }],
    [{ tie_word_embeddings: undefined }, { tieWordEmbeddings: false }],
    [{ rope_scaling: null, rope_parameters: null, rope_theta: 5e5 }, { ropeTheta: 5e5 }],
    [{ rope_scaling: { rope_type: 'default' } }, { ropeTheta: 10_000 }],
  ])('with %j is read as %j, and written the same', async (change, wanted) => {
    const config = decodeConfig({ ...(await golden('llama')), ...change });
    expect(config).toMatchObject(wanted);
    expect(decodeConfig(encodeConfig(config))).toMatchObject(wanted);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['another model type', { model_type: 'lama' }, /llama or arcee here, received "lama". Did you mean "llama"/],
    ['no model type', { model_type: undefined }, /llama or arcee here, received undefined/],
    ['a missing size', { hidden_size: undefined }, /has hidden_size, a whole number above 0, received undefined/],
    ['a size that is a text', { vocab_size: '64' }, /vocab_size.*received "64"/],
    ['a size of 0', { num_hidden_layers: 0 }, /num_hidden_layers.*received 0/],
    ['a size that is no whole number', { intermediate_size: 1.5 }, /intermediate_size.*received 1.5/],
    ['an impossible size', { hidden_size: 1e12 }, /hidden_size.*received 1000000000000/],
    ['scaled positions of no factor', { rope_scaling: { type: 'linear' } }, /have factor in config.json, a number/],
    ['scaled positions of no type', { rope_scaling: { factor: 8 } }, /type default do without rope_scaling.factor/],
    [
      'positions scaled in a way that we lack',
      { rope_scaling: { rope_type: 'longrope', factor: 2 } },
      /rope_scaling.rope_type in config.json is one of default, linear, dynamic, llama3, yarn, received "longrope"/,
    ],
    ['positions that are no object', { rope_scaling: 'linear' }, /rope_scaling in config.json is an object/],
    [
      'scaled positions of version 5 without their factors',
      { rope_parameters: { rope_type: 'llama3', factor: 8 } },
      /have low_freq_factor in config.json, a number above 0, received undefined/,
    ],
    [
      'positions for a part of a head',
      { rope_parameters: { rope_type: 'default', partial_rotary_factor: 0.5 } },
      /type default do without rope_parameters.partial_rotary_factor, received 0.5/,
    ],
    ['a flag that is a text', { attention_bias: 'false' }, /attention_bias in config.json is true or false.*"false"/],
    ['a flag that is a number', { mlp_bias: 1 }, /mlp_bias in config.json is true or false, received 1/],
    ['tied weights by a text', { tie_word_embeddings: 'yes' }, /tie_word_embeddings in config.json is true or false/],
    ['an epsilon that is a text', { rms_norm_eps: '1e-5' }, /rms_norm_eps in config.json is a number.*"1e-5"/],
    ['a base that is a text', { rope_parameters: { rope_theta: '1e4' } }, /rope_theta in config.json is a number/],
    ['an unknown activation', { hidden_act: 'sillu' }, /"sillu". Did you mean "silu"/],
  ])('with %s is refused', async (_, change, message) => {
    const json = { ...(await golden('llama')), ...change };
    expect(() => decodeConfig(json)).toThrow(message);
  });
});
