import { toJsonSchema } from '@valibot/to-json-schema';
import * as v from 'valibot';
import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { missingPolicies } from '../data/table-encoding.js';
import { openableDevices } from '../devices/open.js';
import { mostThreads } from '../devices/threads.js';
import { schemeNames } from '../layers/initialization-schemes.js';
import { shortcuts } from '../models/forecaster.js';
import { scheduleNames } from '../training/schedules.js';

const whole = (least: number, most = Number.MAX_SAFE_INTEGER) =>
  v.pipe(
    v.number(),
    v.integer('is a whole number'),
    v.minValue(least, `is at least ${least}`),
    v.maxValue(most, `is at most ${most}`),
  );
/** What a recurrent model of examples judges a sequence by. */
const readouts = ['last', 'mean'] as const;
/** The model types of all tasks. */
const modelNames = [
  'llama',
  'arcee',
  'gpt2',
  'qwen2',
  'gemma',
  'gated-conv',
  'bert',
  'modernbert',
  'lenet',
  'lenet1989',
  'mlp',
  'perceptron',
  'bag',
  'rnn',
  'lstm',
  'gru',
] as const;
/** The optimizers, and two names for SGD with momentum. */
const optimizerNames = ['sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam', 'adamw', 'lion'] as const;
/** The losses of examples: two of classes, two of values. */
export const lossNames = ['cross-entropy', 'binary-cross-entropy', 'mse', 'huber'] as const;
export type LossName = (typeof lossNames)[number];

const size = whole(1, 2 ** 22);
const text = v.pipe(v.string(), v.nonEmpty('is not empty'));
const positive = v.pipe(v.number(), v.finite('is finite'), v.gtValue(0, 'is positive'));
const length = v.pipe(positive, v.maxValue(1e9, 'is at most 1e9'));
const share = v.pipe(v.number(), v.minValue(0, 'is at least 0'), v.ltValue(1, 'is below 1'));
const atLeastZero = v.pipe(v.number(), v.finite('is finite'), v.minValue(0, 'is at least 0'));
const about = <S extends v.GenericSchema>(schema: S, description: string) => v.pipe(schema, v.description(description));

/**
 * Every setting of a training run: the one source of the command's flags, the config file's keys and their documentation.
 * A flag is the key in kebab-case.
 */
export const settingsSchema = v.strictObject({
  data: about(
    text,
    'what to learn from: a text (a file, a folder of .txt, a .jsonl with {"text"}, or "demo", Moby Dick), or a table',
  ),
  task: about(
    text,
    'what is learned: causal (predict the next token), mlm (say hidden tokens), rings, spirals, xor, moons, mnist, adding, copy, forecast, FILE.csv, FILE.jsonl',
  ),
  model: about(
    v.picklist(modelNames, `is one of ${modelNames.join(', ')}`),
    'model type: llama, qwen2, gemma (gated block), arcee, gpt2 (plain block), gated-conv, rnn, lstm, gru; of mlm and of texts bert (plain block) or modernbert (gated block); of examples mlp or perceptron, of images lenet or lenet1989, of texts bag (of tokens), of sequences rnn, lstm or gru',
  ),
  target: about(v.optional(text), 'column of the table to predict; the last by default'),
  inputs: about(v.optional(text), 'columns to predict it from, with commas between; all others by default'),
  missing: about(
    v.picklist(missingPolicies, `is one of ${missingPolicies.join(', ')}`),
    'what becomes of missing values: refuse, mean (fill in), drop (leave the row out), or, of a series, previous',
  ),
  loss: about(
    v.optional(v.picklist(lossNames, `is one of ${lossNames.join(', ')}`)),
    `loss of examples: ${lossNames.join(', ')}; by default the first for classes and mse for values`,
  ),
  labelSmoothing: about(share, 'share of the target that cross-entropy spreads over all classes'),
  posWeight: about(
    v.optional(positive),
    'how much an example of the second class counts in binary-cross-entropy, beside one of the first; 1 by default',
  ),
  initialization: about(
    v.optional(v.picklist(schemeNames, `is one of ${schemeNames.join(', ')}`)),
    `initial weights of an MLP: ${schemeNames.join(', ')}; what suits the activation by default`,
  ),
  surrogate: about(
    v.optional(text),
    'activation whose derivative stands in for that of --activation, as hardTanh for step: a straight-through estimator',
  ),
  outputs: about(v.picklist(['0/1', '-1/1'], 'is 0/1 or -1/1'), "a perceptron's outputs: 0/1 or -1/1"),
  shift: about(whole(0, 8), 'pixels by which an image that is learned from is moved at most, another way each time'),
  examples: about(whole(8, 2 ** 20), 'points or sequences to draw where the task draws them'),
  length: about(whole(2, 2 ** 16), 'steps of a sequence of the adding problem'),
  symbols: about(whole(1, 2 ** 12), 'symbols to remember in the copy task'),
  delay: about(whole(0, 2 ** 16), 'steps of the copy task between the symbols and the sign to say them again'),
  window: about(
    v.optional(whole(1, 2 ** 16)),
    'rows of a series that a forecast is made from; two seasons by default, or 24',
  ),
  horizon: about(whole(1, 2 ** 12), 'rows of a series to forecast'),
  bidirectional: about(v.boolean(), 'recurrent layers read from the end, too'),
  readout: about(
    v.optional(v.picklist(readouts, `is one of ${readouts.join(', ')}`)),
    'what a recurrent model judges a sequence by: its last state, or the mean of all (of texts the default)',
  ),
  shortcut: about(
    v.picklist(shortcuts, `is one of ${shortcuts.join(', ')}`),
    'what a forecast of the network is added to: none, last (the last value), or linear (a linear forecast, too)',
  ),
  season: about(v.optional(whole(2, 2 ** 16)), 'rows after which a series repeats; found in what is learned from'),
  maskShare: about(
    v.pipe(v.number(), v.gtValue(0, 'is above 0'), v.ltValue(1, 'is below 1')),
    'share of the tokens that mlm chooses: of them 80 % are hidden, 10 % become another token, 10 % stay',
  ),
  wholeWords: about(v.boolean(), 'mlm chooses whole words, not tokens'),
  tokenizer: about(text, 'char, byte, or bpe:SIZE'),
  dim: about(size, 'width of the residual stream'),
  layers: about(size, 'number of layers; of an MLP the hidden ones'),
  heads: about(size, 'attention heads'),
  kvHeads: about(size, 'heads of keys and values; divides heads'),
  hidden: about(
    size,
    'final width of the feed-forward block; units of a hidden layer of an MLP or of a recurrent layer',
  ),
  kernel: about(
    whole(1, 4096),
    'tokens that a layer of gated-conv sees, its own the last; pixels across a window of lenet',
  ),
  pooling: about(
    v.picklist(['max', 'average'], 'is max or average'),
    'what lenet takes of each 2 x 2 pixels: max or average',
  ),
  ffn: about(
    text,
    'feed-forward block: mlp or gated with --activation, or a gate: swiglu, geglu, reglu, glu, ...; solu with a LayerNorm',
  ),
  activation: about(
    v.optional(text),
    'activation of a block mlp (relu2) or gated (silu), or of a recurrent cell (tanh): a name, or its text in x such as "x*tanh(softplus(x))"',
  ),
  gateActivation: about(v.optional(text), 'activation of the gates of an LSTM or a GRU; sigmoid by default'),
  forgetBias: about(
    v.optional(v.pipe(v.number(), v.finite('is finite'))),
    "what the bias of an LSTM's forget gate begins with",
  ),
  param: about(
    v.optional(text),
    'a parameter of the activation or the gate: slope=0.2, or slope=learned; several with commas between',
  ),
  dropout: about(share, 'dropout probability'),
  context: about(size, 'tokens in a sequence'),
  batch: about(size, 'sequences in a micro-batch'),
  accumulate: about(size, 'micro-batches in a step'),
  steps: about(whole(1), 'optimizer steps in all'),
  epochs: about(v.optional(length), 'passes over the text, instead of steps'),
  time: about(
    v.optional(length),
    'seconds to train, instead of steps: measured first, then fixed as a number of steps',
  ),
  lr: about(positive, 'peak learning rate'),
  minLr: about(atLeastZero, 'learning rate at the end'),
  warmup: about(whole(0), 'steps of linear warmup'),
  schedule: about(
    v.picklist(scheduleNames, `is one of ${scheduleNames.join(', ')}`),
    `decay of the learning rate: ${scheduleNames.join(', ')}`,
  ),
  optimizer: about(
    v.picklist(optimizerNames, `is one of ${optimizerNames.join(', ')}`),
    `how weights follow their gradients: ${optimizerNames.join(', ')}; momentum and nesterov are sgd with --momentum 0.9`,
  ),
  weightDecay: about(atLeastZero, 'weight decay: decoupled in adamw and lion, else a part of the gradient'),
  momentum: about(v.optional(atLeastZero), 'share of its speed that a weight keeps, of sgd and rmsprop'),
  dampening: about(v.optional(atLeastZero), "share of the gradient that sgd's speed does not take up"),
  nesterov: about(v.optional(v.boolean()), 'sgd looks a step ahead along its speed'),
  alpha: about(v.optional(share), 'share of the mean square that rmsprop keeps'),
  centered: about(v.optional(v.boolean()), "rmsprop divides by the gradients' deviation"),
  beta1: about(v.optional(share), 'share of the mean gradient that adam, adamw and lion keep'),
  beta2: about(share, 'share of the mean square that adam and adamw keep; of the mean gradient of lion'),
  amsgrad: about(v.optional(v.boolean()), 'adam and adamw divide by the largest mean square so far'),
  epsilon: about(v.optional(atLeastZero), 'what is added to what adam, adamw, adagrad and rmsprop divide by'),
  clip: about(atLeastZero, 'largest gradient norm; 0 for no clipping'),
  evalEvery: about(whole(1), 'steps between evaluations'),
  evalTokens: about(whole(1), 'tokens of validation text in an evaluation while training'),
  sampleEvery: about(whole(0), 'steps between samples; 0 for none'),
  saveEvery: about(whole(1), 'steps between checkpoints'),
  keep: about(whole(1), 'checkpoints to keep'),
  validation: about(
    v.pipe(v.number(), v.gtValue(0, 'is above 0'), v.ltValue(1, 'is below 1')),
    'share of the text, at its end, held out for validation',
  ),
  seed: about(whole(0), 'seed of all randomness'),
  device: about(text, `where to compute: ${openableDevices.join(', ')}`),
  threads: about(v.optional(whole(1, mostThreads)), 'threads that compute'),
  deterministic: about(
    v.boolean(),
    'same bits for any number of threads; on one device for any compiler and BLAS, too',
  ),
});

export type Settings = v.InferOutput<typeof settingsSchema>;
export type SettingName = keyof Settings;
const partialSchema = v.partial(settingsSchema);
export type PartialSettings = v.InferOutput<typeof partialSchema>;

type Open =
  | 'activation'
  | 'epochs'
  | 'time'
  | 'threads'
  | 'target'
  | 'inputs'
  | 'loss'
  | 'initialization'
  | 'surrogate'
  | 'gateActivation'
  | 'forgetBias'
  | 'posWeight'
  | 'param'
  | 'momentum'
  | 'dampening'
  | 'nesterov'
  | 'alpha'
  | 'centered'
  | 'beta1'
  | 'amsgrad'
  | 'epsilon'
  | 'window'
  | 'season'
  | 'readout';
type Defaults = Omit<Settings, 'data' | 'hidden' | 'kvHeads' | 'minLr' | Open>;

/** What a run does when nothing else is said: the smallest preset, as long as a coffee. */
export const defaults: Defaults = {
  task: 'causal',
  model: 'llama',
  missing: 'refuse',
  labelSmoothing: 0,
  outputs: '0/1',
  examples: 1000,
  shift: 1,
  length: 100,
  symbols: 5,
  delay: 20,
  horizon: 1,
  bidirectional: false,
  shortcut: 'linear',
  maskShare: 0.15,
  wholeWords: false,
  tokenizer: 'bpe:2048',
  dim: 128,
  layers: 4,
  heads: 4,
  kernel: 4,
  pooling: 'max',
  ffn: 'swiglu',
  dropout: 0,
  context: 128,
  batch: 16,
  accumulate: 1,
  steps: 2000,
  lr: 1e-3,
  warmup: 100,
  schedule: 'cosine',
  optimizer: 'adamw',
  weightDecay: 0.1,
  beta2: 0.95,
  clip: 1,
  evalEvery: 200,
  evalTokens: 32_768,
  sampleEvery: 0,
  saveEvery: 500,
  keep: 3,
  validation: 0.1,
  seed: 1337,
  device: 'auto',
  deterministic: false,
};

/** Values for messages, where nothing is the default. */
const examples: Omit<Settings, keyof Defaults> = {
  posWeight: 5,
  data: 'my.txt',
  target: 'price',
  inputs: 'x,y',
  loss: 'mse',
  initialization: 'he',
  surrogate: 'hardTanh',
  window: 24,
  season: 12,
  readout: 'mean',
  activation: 'gelu',
  gateActivation: 'hardSigmoid',
  forgetBias: 1,
  epochs: 1,
  time: 600,
  threads: 2,
  hidden: 352,
  kvHeads: 2,
  minLr: 1e-4,
  param: 'slope=0.2',
  momentum: 0.9,
  dampening: 0.1,
  nesterov: true,
  alpha: 0.99,
  centered: true,
  beta1: 0.9,
  amsgrad: true,
  epsilon: 1e-8,
};

export const settingNames = Object.keys(settingsSchema.entries) as SettingName[];

/** What a setting does, in a line. */
export function describeSetting(name: SettingName): string {
  return v.getDescription(settingsSchema.entries[name] as v.GenericSchema) ?? name;
}

/** What must hold where a schema finds that it does not: `settings.dim is at least 1`. */
export function issueRule(issue: v.BaseIssue<unknown>): string {
  const place = v.getDotPath(issue) ?? 'it';
  const { expected } = issue;
  if (/^is /.test(issue.message)) return `${place} ${issue.message}`;
  if (expected === 'never') return `${place} is known to this version`;
  if (expected === null || expected.startsWith('"')) return `${place} is given`;
  return `${place} is ${expected === 'Object' ? 'an object' : `a ${expected}`}`;
}

/**
 * Checks some settings, given under their keys.
 * @param source where they come from, for the message: a file's path, "the command line".
 * @throws SluiceError `name` for an unknown key (the nearest is suggested), `argument` for a value outside its range.
 */
export function checkSettings(values: Readonly<Record<string, unknown>>, source: string): PartialSettings {
  for (const key of Object.keys(values)) {
    if (settingNames.includes(key as SettingName) || key === 'preset') continue;
    throw new SluiceError('name', {
      rule: `${source} has only known settings`,
      received: key,
      remedy: didYouMean(key, [...settingNames, 'preset'], 'See: sluice train --help.'),
    });
  }
  const { preset: _, ...given } = values;
  const settings = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const result = v.safeParse(partialSchema, settings);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const key = String(issue.path?.[0].key ?? '');
  throw new SluiceError('argument', {
    rule: issueRule(issue),
    received: issue.input,
    remedy: remedyOf(issue, key as SettingName),
  });
}

/** The nearest of a few names, else an example. */
function remedyOf(issue: v.BaseIssue<unknown>, key: SettingName): string {
  const example = `Write for example ${exampleOf(key)}: ${describeSetting(key)}.`;
  const schema = settingsSchema.entries[key];
  return 'options' in schema ? didYouMean(String(issue.input), schema.options, example) : example;
}

const exampleOf = (name: string): unknown => ({ ...defaults, ...examples })[name as SettingName];

/** How a setting is written on a command line. */
export function settingType(name: SettingName): 'string' | 'boolean' | 'integer' | 'number' {
  const { type } = toJsonSchema(settingsSchema.entries[name] as v.GenericSchema, { errorMode: 'ignore' });
  return type === 'boolean' || type === 'integer' || type === 'number' ? type : 'string';
}
