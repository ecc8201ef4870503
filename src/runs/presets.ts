import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { gatedWidth } from '../layers/widths.js';
import type { PartialSettings, Settings } from './settings.js';

type Defaults = Omit<Settings, 'data' | 'activation' | 'epochs' | 'time' | 'threads' | 'hidden' | 'kvHeads' | 'minLr'>;

/** What a run does when nothing else is said: the smallest preset, as long as a coffee. */
export const defaults: Defaults = {
  task: 'causal',
  model: 'llama',
  tokenizer: 'bpe:2048',
  dim: 128,
  layers: 4,
  heads: 4,
  ffn: 'swiglu',
  dropout: 0,
  context: 128,
  batch: 16,
  accumulate: 1,
  steps: 2000,
  lr: 1e-3,
  warmup: 100,
  schedule: 'cosine',
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

/** Sizes by the number of parameters they have with their own tokenizer. */
const presets = {
  /** What `npm start` runs: two minutes on two cores. */
  demo: {
    data: 'demo',
    dim: 128,
    layers: 4,
    heads: 4,
    kvHeads: 2,
    time: 110,
    batch: 8,
    context: 128,
    sampleEvery: 400,
  },
  '1m': { tokenizer: 'bpe:2048', dim: 128, layers: 4, heads: 4, kvHeads: 2, context: 128 },
  '4m': { tokenizer: 'bpe:4096', dim: 224, layers: 6, heads: 7, context: 256, lr: 8e-4, steps: 5000 },
  '8m': { tokenizer: 'bpe:4096', dim: 288, layers: 6, heads: 6, context: 256, lr: 6e-4, steps: 10_000 },
  '16m': { tokenizer: 'bpe:8192', dim: 384, layers: 8, heads: 6, kvHeads: 3, context: 512, lr: 5e-4, steps: 20_000 },
} as const satisfies Record<string, PartialSettings>;

export type PresetName = keyof typeof presets;
export const presetNames = Object.keys(presets) as PresetName[];

/** @throws SluiceError `name` that suggests the nearest preset. */
export function presetNamed(name: string): PartialSettings {
  const known = presetNames.find((candidate) => candidate === name.toLowerCase());
  if (known !== undefined) return presets[known];
  throw new SluiceError('name', {
    rule: `a preset is one of ${presetNames.join(', ')}`,
    received: name,
    remedy: didYouMean(name, presetNames, 'Or give --dim, --layers and --heads.'),
  });
}

/** Fills in what was left open, each from what it depends on. */
export function complete(given: PartialSettings): Settings {
  const { data } = given;
  if (data === undefined) {
    throw new SluiceError('argument', {
      rule: 'training needs a text',
      received: 'no --data',
      remedy: 'Give --data my.txt, or --preset demo for Moby Dick.',
    });
  }
  const said = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as Partial<Settings>;
  const settings = { ...defaults, ...said, data };
  const isPlain = settings.ffn === 'mlp';
  const hidden = isPlain ? 4 * settings.dim : gatedWidth(4 * settings.dim, { multipleOf: 16 });
  return {
    ...settings,
    model: given.model ?? (isPlain ? 'arcee' : 'llama'),
    activation: given.activation ?? (isPlain ? 'relu2' : 'silu'),
    hidden: given.hidden ?? hidden,
    kvHeads: given.kvHeads ?? settings.heads,
    minLr: given.minLr ?? settings.lr / 10,
  };
}
