import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ByteTokenizer } from '../../src/data/byte-tokenizer.js';
import { saveTokenizer } from '../../src/data/load-tokenizer.js';
import { openReference } from '../../src/devices/reference/index.js';
import { parseSafetensors } from '../../src/formats/safetensors.js';
import { encodeSafetensors, float32Entry, type SafetensorsEntry } from '../../src/formats/safetensors-write.js';
import { Mode } from '../../src/layers/mode.js';
import { open, openRun } from '../../src/runs/open-run.js';
import { memory, tensor } from '../../src/tensor/index.js';
import { errorOf } from '../formats/make-safetensors.js';
import { distance } from '../models/golden.js';

const device = await openReference();
afterAll(() => device.close());

type Weights = Map<string, { shape: readonly number[]; values: Float32Array }>;

const golden = join(import.meta.dirname, '../golden/llama');
const config = JSON.parse(await readFile(join(golden, 'config.json'), 'utf8')) as Record<string, unknown>;
const expected = parseSafetensors(await readFile(join(golden, 'expected.safetensors')));
const file = parseSafetensors(await readFile(join(golden, 'model.safetensors')));
const weights = (): Weights =>
  new Map(file.names().map((name) => [name, { shape: file.info(name).shape, values: file.readFloat32(name) }]));
const embedding = 'model.embed_tokens.weight';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-folder-'));
  await cp(join(golden, 'config.json'), join(folder, 'config.json'));
});
afterEach(() => rm(folder, { recursive: true }));

const write = (name: string, content: unknown): Promise<void> =>
  writeFile(join(folder, name), content instanceof Uint8Array ? content : JSON.stringify(content));
const entriesOf = (given: Weights): SafetensorsEntry<Uint8Array>[] =>
  [...given].map(([name, { shape, values }]) => float32Entry(name, shape, values));
const writeWeights = (given: Weights): Promise<void> => write('model.safetensors', encodeSafetensors(entriesOf(given)));

/** Weights under other names, and some more. */
const renamed = (rename: (name: string) => string, more: Weights = new Map()): Weights =>
  new Map([...[...weights()].map(([name, entry]) => [rename(name), entry] as const), ...more]);

const zeros = (...shape: number[]) => ({ shape, values: new Float32Array(shape.reduce((a, b) => a * b, 1)) });

/** How far the folder's model is from what Transformers computes, and what of the file it left out. */
async function opened(): Promise<{ error: number; leftOut: readonly string[] }> {
  const { model, leftOut } = await open(folder, device);
  const inputs = tensor(device, await parseIntegers('inputs'), expected.info('inputs').shape);
  const logits = await model.forward(inputs, Mode.evaluation()).toArray();
  model.dispose();
  return { error: distance(logits, expected.readFloat32('logits')), leftOut };
}

const parseIntegers = async (name: string): Promise<Int32Array> => {
  const bytes = expected.read(name);
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
};

describe('a folder of Transformers is opened', () => {
  test('as it was saved', async () => {
    await writeWeights(weights());
    expect(await opened()).toEqual({ error: expect.closeTo(0, 5), leftOut: [] });
  });

  test.each<[string, (name: string) => string]>([
    ['without the prefix of the base model', (name) => name.replace(/^model\./, '')],
    ['with a prefix more', (name) => `_orig_mod.${name}`],
  ])('%s', async (_what, rename) => {
    await writeWeights(renamed(rename));
    expect((await opened()).error).toBeLessThan(1e-5);
  });

  test('with buffers and heads of other tasks, which are left out by name', async () => {
    const more: Weights = new Map([
      ['model.layers.0.self_attn.rotary_emb.inv_freq', zeros(4)],
      ['model.layers.1.self_attn.rotary_emb.inv_freq', zeros(4)],
      ['model.position_ids', zeros(1, 64)],
      ['score.weight', zeros(2, 32)],
    ]);
    await writeWeights(renamed((name) => name, more));
    const { error, leftOut } = await opened();
    expect(error).toBeLessThan(1e-5);
    expect([...leftOut].sort()).toEqual([...more.keys()].sort());
  });

  test('with a tied head that was saved, too', async () => {
    const all = weights();
    const head = all.get(embedding) ?? zeros();
    await writeWeights(renamed((name) => name, new Map([['lm_head.weight', head]])));
    expect(await opened()).toEqual({ error: expect.closeTo(0, 5), leftOut: ['lm_head.weight'] });
  });

  test('with the tied head alone, which is the embedding', async () => {
    await writeWeights(renamed((name) => (name === embedding ? 'lm_head.weight' : name)));
    expect((await opened()).error).toBeLessThan(1e-5);
  });

  test('with another head than the embedding, whatever config.json ties', async () => {
    const head = weights().get(embedding) ?? zeros();
    const other = { ...head, values: head.values.map((value) => 2 * value) };
    await writeWeights(renamed((name) => name, new Map([['lm_head.weight', other]])));
    const { model, leftOut } = await open(folder, device);
    expect(leftOut).toEqual([]);
    const inputs = tensor(device, await parseIntegers('inputs'), expected.info('inputs').shape);
    const logits = await model.forward(inputs, Mode.evaluation()).toArray();
    const doubled = expected.readFloat32('logits').map((value) => 2 * value);
    expect(distance(logits, doubled)).toBeLessThan(1e-5);
    model.dispose();
  });

  test('in shards', async () => {
    const entries = entriesOf(weights());
    const shards = [entries.slice(0, 7), entries.slice(7)];
    const map: Record<string, string> = {};
    for (const [i, shard] of shards.entries()) {
      const name = `model-0000${i + 1}-of-00002.safetensors`;
      await write(name, encodeSafetensors(shard));
      for (const entry of shard) map[entry.name] = name;
    }
    await write('model.safetensors.index.json', { metadata: {}, weight_map: map });
    expect((await opened()).error).toBeLessThan(1e-5);
  });

  test.each([
    ['BF16', 2 ** -7],
    ['F16', 2 ** -9],
  ] as const)('in %s, widened exactly', async (dtype, tolerance) => {
    const entries = [...weights()].map(([name, { shape, values }]): SafetensorsEntry<Uint8Array> => {
      const halves = Uint16Array.from(values, (value) => (dtype === 'BF16' ? toBfloat16(value) : toFloat16(value)));
      return { name, dtype, shape, bytes: () => new Uint8Array(halves.buffer) };
    });
    await write('model.safetensors', encodeSafetensors(entries));
    expect((await opened()).error).toBeLessThan(4 * tolerance);
  });
});

const toBfloat16 = (value: number): number => {
  const [bits = 0] = new Uint32Array(Float32Array.of(value).buffer);
  return (bits + 0x8000) >>> 16;
};

/** Of numbers that are normal there. */
const toFloat16 = (value: number): number => {
  const [bits = 0] = new Uint32Array(Float32Array.of(value).buffer);
  const exponent = ((bits >>> 23) & 255) - 112;
  return exponent <= 0
    ? (bits >>> 16) & 0x8000
    : ((bits >>> 16) & 0x8000) | ((exponent << 10) + (((bits & 0x7fffff) + 0x1000) >>> 13));
};

describe('a folder whose files do not fit together is refused', () => {
  const refusal = (): Promise<Error & { code: string; received: unknown }> => errorOf(() => open(folder, device));

  test('with every tensor that is missing, unexpected or of another shape, counted', async () => {
    const wrong = renamed((name) => name.replace('mlp.up_proj', 'mlp.up'));
    wrong.delete('model.norm.weight');
    wrong.set('model.layers.0.input_layernorm.weight', zeros(31));
    await writeWeights(wrong);
    const before = memory(device).buffers;
    const error = await refusal();
    expect(error.code).toBe('checkpoint');
    expect(error.message).toMatch(/3 missing, 2 unexpected, 1 of another shape/);
    expect(error.message).toMatch(
      /Is model\.layers\.\d\.mlp\.up\.weight what should be model\.layers\.\d\.mlp\.up_proj/,
    );
    expect(error.received).toEqual(
      expect.arrayContaining([
        'missing model.norm.weight',
        'unexpected model.layers.1.mlp.up.weight',
        'model.layers.0.input_layernorm.weight [31], not [32]',
      ]),
    );
    expect(error.received).toHaveLength(6);
    expect(memory(device).buffers).toBe(before);
  });

  test('with two spellings of one tensor', async () => {
    await writeWeights(renamed((name) => name, new Map([['norm.weight', zeros(32)]])));
    expect((await refusal()).message).toMatch(/a tensor is in its file once: model\.norm\.weight/);
  });

  test('with layers more than config.json says', async () => {
    await writeWeights(weights());
    await write('config.json', { ...config, num_hidden_layers: 1 });
    expect((await refusal()).message).toMatch(/9 unexpected.*unexpected model\.layers\.1\./);
  });

  test('without a head where config.json ties none', async () => {
    await writeWeights(weights());
    await write('config.json', { ...config, tie_word_embeddings: false });
    expect((await refusal()).message).toMatch(/1 missing\), received \["missing lm_head\.weight"\]/);
  });

  test('without weights, and with pickled ones alone', async () => {
    expect((await refusal()).message).toMatch(/must hold model\.safetensors/);
    await write('pytorch_model.bin', new Uint8Array(9));
    expect((await refusal()).message).toMatch(/Pickle files .* are not read/);
  });

  test('with an index whose shards are missing, all named', async () => {
    const map = Object.fromEntries(
      [...weights().keys()].map((name, i) => [name, `model-0000${(i % 3) + 1}-of-00003.safetensors`]),
    );
    await write('model.safetensors.index.json', { weight_map: map });
    await write('model-00002-of-00003.safetensors', encodeSafetensors([]));
    const { message } = await refusal();
    expect(message).toMatch(
      /every shard .* received \["model-00001-of-00003\.safetensors", "model-00003-of-00003\.safetensors"\]/,
    );
  });

  test('with the pointer that Git leaves in place of a large file', async () => {
    await writeFile(
      join(folder, 'model.safetensors'),
      'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n',
    );
    expect((await refusal()).message).toMatch(/pointer of Git LFS.*git lfs pull/);
  });

  test('with a tokenizer of more tokens than the vocabulary', async () => {
    await writeWeights(weights());
    await saveTokenizer(folder, new ByteTokenizer());
    expect((await refusal()).message).toMatch(/tokenizer of .* fits the model's vocabulary of 64, received 257/);
  });

  test.each([1.5, 'end', [2, 'x'], { a: 1 }])('with the end token %j', async (eos_token_id) => {
    await writeWeights(weights());
    await write('generation_config.json', { eos_token_id });
    expect((await refusal()).message).toMatch(/eos_token_id is the number of a token/);
  });

  test.each([
    ['config.json', 'null'],
    ['config.json', '{'],
    ['generation_config.json', '[]'],
  ])('with %s that says %s', async (name, text) => {
    await writeWeights(weights());
    await writeFile(join(folder, name), text);
    expect(await refusal()).toBeInstanceOf(Error);
  });

  test.each(['vocab_size', 'hidden_size', 'num_hidden_layers'])('with a %s of 1e12', async (key) => {
    await writeWeights(weights());
    await write('config.json', { ...config, [key]: 1e12 });
    expect((await refusal()).message).toMatch(new RegExp(key));
  });
});

describe('the tokens that end a text', () => {
  const ends = async () => {
    await writeWeights(weights());
    const { endTokens, beginToken, model } = await open(folder, device);
    model.dispose();
    return { endTokens, beginToken };
  };

  test("are config.json's", async () => {
    expect(await ends()).toEqual({ endTokens: [2], beginToken: 1 });
  });

  test("are generation_config.json's before those, a number or a list", async () => {
    await write('generation_config.json', { eos_token_id: [5, 6] });
    expect(await ends()).toEqual({ endTokens: [5, 6], beginToken: 1 });
    await write('generation_config.json', { eos_token_id: [64, 7, -1], bos_token_id: 50256 });
    expect(await ends()).toEqual({ endTokens: [7], beginToken: undefined });
    await write('generation_config.json', { eos_token_id: 7, bos_token_id: 3 });
    expect(await ends()).toEqual({ endTokens: [7], beginToken: 3 });
    await write('generation_config.json', { eos_token_id: null, bos_token_id: null });
    expect(await ends()).toEqual({ endTokens: [2], beginToken: 1 });
  });
});

test('a folder without a tokenizer opens, but is no run to write with', async () => {
  await writeWeights(weights());
  const { tokenizer, model } = await open(folder, device);
  expect(tokenizer).toBeUndefined();
  model.dispose();
  const { buffers } = memory(device);
  expect((await errorOf(() => openRun(folder, device))).message).toMatch(/tokenizer must be in/);
  expect(memory(device).buffers).toBe(buffers);
});
