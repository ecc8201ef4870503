import { describe, expect, test } from 'vitest';
import { catalogue, find, geglu, gegluTanh, relu2, swiglu } from '../../src/activations/index.js';
import { gateOf, hiddenAct } from '../../src/formats/hugging-face/activation-names.js';
import {
  type CarrierType,
  carrierOf,
  carriersOf,
  carrierTypes,
  decodeBlock,
  encodeBlock,
} from '../../src/formats/hugging-face/carrier.js';
import type { BlockFormula } from '../../src/layers/feed-forward.js';
import { simplify } from '../../src/scalar/simplify.js';

/** Every activation in both blocks, every gate, every row function. */
const blocks = (catalogue() as readonly BlockFormula[]).flatMap((formula): BlockFormula[] =>
  formula.kind === 'activation' ? [formula, gateOf(formula)] : [formula],
);
const pairs = blocks.flatMap((block) =>
  carriersOf(block).map((type) => [block.name, block.kind, type, block] as const),
);
const roundTrip = (block: BlockFormula, type: CarrierType): Record<string, unknown> =>
  JSON.parse(JSON.stringify(encodeBlock(block, type))) as Record<string, unknown>;

describe('the model type of a block', () => {
  test('is there for every block of the catalogue', () => {
    expect(blocks.length).toBeGreaterThan(80);
    for (const block of blocks) {
      const { type } = carrierOf(block);
      expect(type).toBe(block.kind === 'gate' ? 'llama' : 'arcee');
    }
  });

  test.each(pairs)('keeps %s (%s) in a %s so that it is read back as what it computes', (_, kind, type, block) => {
    const json = roundTrip(block, type);
    const read = decodeBlock(json, type);
    expect(read.kind).toBe(kind);
    expect(read.learned).toEqual(block.learned);
    expect(simplify(read.noisy)).toBe(simplify(block.noisy));
  });

  test.each(pairs)('says of %s (%s) in a %s whether Transformers computes it', (_, __, type, block) => {
    const { act } = carrierOf(block, type);
    expect(act === undefined).toBe(hiddenAct(block) === undefined);
    const json = roundTrip(block, type);
    const named = String(json[type === 'gpt2' ? 'activation_function' : 'hidden_act']);
    expect(named).toBe(act ?? `sluice:${block.name}`);
    expect('sluice_feed_forward' in json).toBe(act === undefined);
  });

  test('is refused where the wanted one has another block', () => {
    for (const type of carrierTypes) {
      const wrong = carriersOf(swiglu).includes(type) ? relu2 : swiglu;
      expect(() => carrierOf(wrong, type)).toThrow(new RegExp(`the feed-forward block of ${type} is`));
    }
    expect(() => carrierOf(swiglu, 'gpt2')).toThrow(/With a block that is gated: --model llama or qwen2 or gemma/);
  });

  test('of a Gemma knows that gelu means its approximation there', () => {
    expect([carrierOf(geglu, 'gemma').act, carrierOf(gegluTanh, 'gemma').act]).toEqual([
      'gelu_python',
      'gelu_pytorch_tanh',
    ]);
    expect(decodeBlock({ hidden_act: 'gelu' }, 'gemma').name).toBe('gegluTanh');
    expect(decodeBlock({ hidden_act: 'gelu' }, 'llama').name).toBe('geglu');
  });

  test.each<[string, CarrierType, string]>([
    ['llama', 'llama', 'swiglu'],
    ['arcee', 'arcee', 'relu2'],
    ['gpt2', 'gpt2', 'geluTanh'],
    ['qwen2', 'qwen2', 'swiglu'],
    ['gemma', 'gemma', 'gegluTanh'],
  ])('of a %s that names no activation is the usual one', (_, type, name) => {
    expect(decodeBlock({}, type).name).toBe(name);
  });
});

describe('a formula of our own in config.json', () => {
  const own = roundTrip(find('elu', 'activation'), 'gpt2');
  const stored = own['sluice_feed_forward'] as Record<string, unknown>;
  test.each<[string, unknown]>([
    ['a text', 'elu'],
    ['without an expression', { ...stored, expression: undefined }],
    ['of another kind', { ...stored, kind: 'gate' }],
    ['of no kind', { ...stored, kind: 'cell' }],
    ['with a parameter that is a text', { ...stored, parameters: { alpha: '1' } }],
    ['with a parameter that is not finite', { ...stored, parameters: { alpha: { value: null, learned: false } } }],
  ])('is refused: %s', (_, value) => {
    expect(() => decodeBlock({ sluice_feed_forward: value }, 'gpt2')).toThrow(/is the formula of a block of gpt2/);
  });

  test('is refused where its text is no formula', () => {
    const json = { sluice_feed_forward: { ...stored, expression: 'x*(' } };
    expect(() => decodeBlock(json, 'gpt2')).toThrow();
  });
});
