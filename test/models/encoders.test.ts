import { describe, expect, test } from 'vitest';
import { geglu } from '../../src/activations/gates.js';
import { mish } from '../../src/activations/smooth.js';
import { openReference } from '../../src/devices/reference/index.js';
import { bertCodec } from '../../src/formats/hugging-face/bert.js';
import { modernBertCodec } from '../../src/formats/hugging-face/modernbert.js';
import { Initializer } from '../../src/layers/initialization.js';
import { Mode } from '../../src/layers/mode.js';
import { Bert, bert, bertConfig } from '../../src/models/bert.js';
import { type Encoder, type EncoderHead, encoderHeads, firstVectors, meanVectors } from '../../src/models/encoder.js';
import { encoderTrainingBytes, summarizeEncoder } from '../../src/models/encoder-summary.js';
import { ModernBert, modernBert, modernBertConfig } from '../../src/models/modernbert.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';

const device = await openReference();
const sizes = { vocabSize: 11, dim: 8, layers: 3, heads: 2, context: 12 };
const labels = ['a', 'b', 'c'];
const purposes = encoderHeads.map((head) => ({ head, labels: head === 'texts' || head === 'tokens' ? labels : [] }));

const families: readonly [string, (head: EncoderHead, labels: readonly string[]) => Encoder][] = [
  ['bert', (head, labels) => bert(device, { ...sizes, head, labels, seed: 1 })],
  ['modernbert', (head, labels) => modernBert(device, { ...sizes, head, labels, seed: 1 })],
];

const mode = Mode.evaluation();
const tokensOf = (rows: readonly (readonly number[])[]): Tensor =>
  tensor(device, rows.flat(), [rows.length, rows[0]?.length ?? 0], { dtype: 'int32' });
const close = (got: ArrayLike<number>, wanted: ArrayLike<number>): void => {
  expect(got.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(got[i]).toBeCloseTo(wanted[i] ?? Number.NaN, 10);
};

describe.each(families)('%s', (_, make) => {
  const model = make('none', []);
  const [one, two] = [
    [1, 2, 3, 4, 5],
    [6, 7, 8],
  ] as const;

  test.each(['left', 'right'])('a text padded on the %s has the vectors that it has alone', async (side) => {
    const padding = [0, 0];
    const row = side === 'left' ? [...padding, ...two] : [...two, ...padding];
    const [begin, end] = side === 'left' ? [2, 5] : [0, 3];
    const own = row.map((_, i) => (i >= begin && i < end ? [begin, end] : [0, 0]));
    const spans = Int32Array.from([...one.map(() => [0, 5]), ...own].flat());
    const vectors = model.encode(tokensOf([one, row]), mode, { spans });
    const alone = model.encode(tokensOf([two]), mode);
    close(await vectors.slice(0, 1).slice(1, begin, end).toArray(), await alone.toArray());
    close(await vectors.slice(0, 0, 1).toArray(), await model.encode(tokensOf([one]), mode).toArray());
    close(await meanVectors(vectors, spans).slice(0, 1).toArray(), await alone.mean(1).toArray());
    close(await firstVectors(vectors, spans).slice(0, 1).toArray(), await alone.slice(1, 0, 1).toArray());
  });

  test('texts packed in one row have the vectors that they have alone', async () => {
    const spans = Int32Array.from([...one.map(() => [0, 5]), ...two.map(() => [5, 8])].flat());
    const vectors = model.encode(tokensOf([[...one, ...two]]), mode, { spans });
    close(await vectors.slice(1, 5, 8).toArray(), await model.encode(tokensOf([two]), mode).toArray());
    close(await vectors.slice(1, 0, 5).toArray(), await model.encode(tokensOf([one]), mode).toArray());
  });

  test.each(purposes)('costs what its shapes say, with head $head', ({ head, labels }) => {
    const built = make(head, labels) as Bert | ModernBert;
    expect(summarizeEncoder(built.config).parameters).toBe(built.parameterCount);
    expect(encoderTrainingBytes(built.config, 100)).toBeGreaterThan(16 * built.parameterCount);
  });

  test('says a class of a text, of each token, or a word', () => {
    const vectors = model.encode(tokensOf([one]), mode);
    expect(make('texts', labels).logits(vectors, mode).shape).toEqual([1, 3]);
    expect(make('tokens', labels).logits(vectors, mode).shape).toEqual([1, 5, 3]);
    expect(make('words', []).logits(vectors, mode).shape).toEqual([1, 5, 11]);
    expect(() => model.logits(vectors, mode)).toThrow('received "head \'none\'"');
  });

  test('a text longer than the positions is refused', () => {
    expect(() => model.encode(tokensOf([Array(13).fill(1)]), mode)).toThrow('at most 12 tokens, received 13');
  });

  test('sizes that do not fit are refused', () => {
    const wrong = { ...sizes, head: 'none' as const };
    const build = _ === 'bert' ? bertConfig : modernBertConfig;
    expect(() => build({ ...wrong, heads: 3 })).toThrow('divide its dim 8');
    expect(() => build({ ...wrong, layers: 0 })).toThrow('layers of a');
    expect(() => build({ ...wrong, head: 'texts' })).toThrow('classes to tell apart');
  });
});

describe('config.json', () => {
  test.each(purposes)('of a BERT with head $head reads back', ({ head, labels }) => {
    const config = bertConfig({ ...sizes, feedForward: mish, dropout: 0.1, head, labels });
    expect(bertCodec.decode(bertCodec.encode(config))).toEqual(config);
  });

  test.each(purposes)('of a ModernBERT with head $head reads back', ({ head, labels }) => {
    const config = modernBertConfig({ ...sizes, feedForward: geglu, head, labels });
    const read = modernBertCodec.decode(modernBertCodec.encode(config));
    expect({ ...read, gate: read.gate.expression }).toEqual({ ...config, gate: config.gate.expression });
  });

  test('with positions or parts that we do not compute is refused', () => {
    const json = bertCodec.encode(bertConfig({ ...sizes, head: 'words' }));
    expect(() => bertCodec.decode({ ...json, position_embedding_type: 'relative_key' })).toThrow('absolute here');
    expect(() => bertCodec.decode({ ...json, is_decoder: true })).toThrow('is_decoder');
    expect(() => bertCodec.decode({ ...json, tie_word_embeddings: false })).toThrow('tie_word_embeddings');
    const modern = modernBertCodec.encode(modernBertConfig(sizes));
    expect(() => modernBertCodec.decode({ ...modern, layer_types: ['full_attention'] })).toThrow('3 layers');
    expect(() => modernBertCodec.decode({ ...modern, classifier_pooling: 'max' })).toThrow('classifier_pooling');
  });

  test('of older files has its layers and bases of rotary positions', () => {
    const { layer_types: _, rope_parameters: __, ...old } = modernBertCodec.encode(modernBertConfig(sizes));
    const read = modernBertCodec.decode({ ...old, global_attn_every_n_layers: 2, global_rope_theta: 5000 });
    expect([read.localLayers, read.globalRopeTheta]).toEqual([[false, true, false], 5000]);
  });
});

test('seeds decide the weights', async () => {
  const [a, b] = [new Bert(new Initializer(device, 1), bertConfig(sizes)), bert(device, { ...sizes, seed: 1 })];
  const weightOf = (model: Bert) => model.bert.embeddings.wordEmbeddings.weight.toArray();
  expect(await weightOf(a)).toEqual(await weightOf(b));
  expect(new ModernBert(new Initializer(device, 1), modernBertConfig(sizes)).parameterCount).toBeGreaterThan(0);
});
