import { describe, expect, test } from 'vitest';
import {
  Attention,
  adamw,
  attention,
  evaluate,
  FeedForward,
  full,
  GatedFeedForward,
  gatedWidth,
  gradcheck,
  Initializer,
  KeyValueCache,
  Linear,
  Llama,
  learningRate,
  llama,
  llamaConfig,
  MemoryTokens,
  mapJoined,
  mapTensors,
  ones,
  openDevice,
  rand,
  randn,
  randomKey,
  relu,
  rowTensors,
  SluiceError,
  sgd,
  swiglu,
  Trainer,
  tensor,
  train,
  unpackGate,
  variable,
  zeros,
} from '../../src/index.js';

const device = await openDevice('reference');
const init = new Initializer(device, 0);
const key = randomKey(0, 'noise');
const x = variable('x');
const leaf = ones(device, [2, 4], { requiresGrad: true });
const heads = ones(device, [1, 2, 1, 2]);
const sizes = { vocabSize: 5, dim: 4, layers: 1, heads: 2, context: 4 };
const model = llama(device, sizes);
const source = new MemoryTokens([1, 2, 3, 4, 1, 2, 3, 4]);
const cache = { batch: 1, positions: 2, keyValueHeads: 1, headDim: 2 };
const trainer = { batch: 1, context: 2, accumulate: 1, seed: 0 };
const schedule = { schedule: 'cosine', lr: 1, minLr: 0, warmup: 0, steps: 1 } as const;
const selfAttention = new Attention(init, 4, { heads: 2 });

type Wrong = Readonly<Record<string, unknown>>;

/** What takes options, one of them misspelt, and how it is written. `{}` is assignable to what is optional. */
const takers: readonly (readonly [string, string, string, (wrong: Wrong) => unknown])[] = [
  ['tensor', 'requires_grad', 'requiresGrad', (wrong) => tensor(device, [1], [1], wrong)],
  ['full', 'dType', 'dtype', (wrong) => full(device, [1], 1, wrong)],
  ['full', 'requireGrad', 'requiresGrad', (wrong) => zeros(device, [1], wrong)],
  ['rand', 'dtyp', 'dtype', (wrong) => rand(device, [1], key, wrong)],
  ['randn', 'deviaton', 'deviation', (wrong) => randn(device, [1], key, wrong)],
  ['sum', 'keepDim', 'keepdim', (wrong) => leaf.sum(0, wrong)],
  ['mean', 'keep_dim', 'keepdim', (wrong) => leaf.mean(0, wrong)],
  ['amax', 'keepdims', 'keepdim', (wrong) => leaf.amax(0, wrong)],
  ['attention', 'casual', 'causal', (wrong) => attention(heads, heads, heads, wrong)],
  ['mapTensors', 'extend', 'extended', (wrong) => mapTensors([x], { x: leaf }, {}, wrong)],
  ['mapJoined', 'operaton', 'operation', (wrong) => mapJoined([x], { x: leaf }, 0, {}, wrong)],
  ['row', 'column', 'columns', (wrong) => rowTensors([x.sum()], { elements: { x: leaf }, ...wrong })],
  ['backward', 'retain_graph', 'retainGraph', (wrong) => leaf.sum().backward(undefined, wrong)],
  ['gradcheck', 'epsilom', 'epsilon', (wrong) => gradcheck((t) => t, [leaf], wrong)],
  ['Linear', 'biass', 'bias', (wrong) => new Linear(init, 2, 2, wrong)],
  ['FeedForward', 'dropOut', 'dropout', (wrong) => new FeedForward(init, 2, 2, relu, wrong)],
  ['GatedFeedForward', 'per_channel', 'perChannel', (wrong) => new GatedFeedForward(init, 2, 2, swiglu, wrong)],
  ['Attention', 'keyValueHead', 'keyValueHeads', (wrong) => new Attention(init, 4, { heads: 2, ...wrong })],
  ['Attention.forward', 'caches', 'cache', (wrong) => selfAttention.forward(ones(device, [1, 1, 4]), wrong)],
  ['gatedWidth', 'multiple_of', 'multipleOf', (wrong) => gatedWidth(4, wrong)],
  ['unpackGate', 'lay_out', 'layout', (wrong) => unpackGate(leaf, { order: 'gate-first', layout: 'halves', ...wrong })],
  ['KeyValueCache', 'position', 'positions', (wrong) => new KeyValueCache(device, { ...cache, ...wrong })],
  ['llama', 'kv_heads', 'kvHeads', (wrong) => llama(device, { ...sizes, ...wrong })],
  ['llama', 'sead', 'seed', (wrong) => llama(device, { ...sizes, ...wrong })],
  ['llama', 'feedforward', 'feedForward', (wrong) => llamaConfig({ ...sizes, ...wrong })],
  ['Llama', 'tieWordEmbedding', 'tieWordEmbeddings', (wrong) => new Llama(init, { ...model.config, ...wrong })],
  ['AdamW', 'wieghtDecay', 'weightDecay', (wrong) => adamw(wrong)],
  ['SGD', 'nestrov', 'nesterov', (wrong) => sgd(wrong)],
  ['Trainer', 'accumulation', 'accumulate', (wrong) => new Trainer(device, model, source, { ...trainer, ...wrong })],
  ['learningRate', 'warmUp', 'warmup', (wrong) => learningRate(0, { ...schedule, ...wrong })],
  ['train', 'warm_up', 'warmup', (wrong) => train(device, model, source, { steps: 1, ...wrong }).next()],
  [
    'evaluate',
    'maxiumTokens',
    'maximumTokens',
    (wrong) => evaluate(device, model, source, new Int32Array(5), { batch: 1, context: 2, ...wrong }),
  ],
];

const refusal = async (use: () => unknown): Promise<SluiceError> => {
  try {
    await use();
  } catch (error) {
    if (error instanceof SluiceError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('without a compiler', () => {
  test.each(takers)('%s refuses %s and suggests %s', async (owner, written, meant, use) => {
    const { code, message } = await refusal(() => use({ [written]: true }));
    expect(code).toBe('name');
    expect(message).toContain(`an option of ${owner} is one that it knows, received "${written}".`);
    expect(message).toContain(`Did you mean "${meant}"?`);
  });

  test.each<[string, RegExp, (wrong: never) => unknown]>([
    [
      'value_first',
      /order of a packed gate is one of.*"value-first"/,
      (order) => unpackGate(leaf, { order, layout: 'halves' }),
    ],
    [
      'halve',
      /layout of a packed gate is one of.*"halves"/,
      (layout) => unpackGate(leaf, { order: 'gate-first', layout }),
    ],
    ['cosin', /a schedule is one of.*"cosine"/, (name) => learningRate(0, { ...schedule, schedule: name })],
  ])('a choice %j is refused with the nearest', async (written, message, use) => {
    const error = await refusal(() => use(written as never));
    expect([error.code, error.message]).toEqual(['name', expect.stringMatching(message)]);
  });

  test('options that are no object are refused', async () => {
    const { code, message } = await refusal(() => new Linear(init, 2, 2, true as never));
    expect([code, message]).toEqual([
      'argument',
      expect.stringContaining('the options of Linear are an object, received true'),
    ]);
    expect(await refusal(() => llama(device, undefined as never))).toMatchObject({ code: 'argument' });
  });

  test.each([0, 1.5, Number.NaN])('an accumulation of %d is refused', async (accumulate) => {
    const { message } = await refusal(() => new Trainer(device, model, source, { ...trainer, accumulate }));
    expect(message).toContain('accumulate is a whole number from 1 on');
  });
});
