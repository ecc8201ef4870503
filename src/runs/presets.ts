import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { hiddenWidth } from '../layers/widths.js';
import { blockKind } from './model.js';
import { defaults, type PartialSettings, type Settings } from './settings.js';

/** Sizes by the number of parameters they have with their own tokenizer. */
const presets = {
  /** What `npm start` runs: about two minutes on two cores; steps, not time, so that it learns the same everywhere. */
  demo: {
    data: 'demo',
    tokenizer: 'bpe:1024',
    dim: 96,
    layers: 3,
    heads: 3,
    kvHeads: 1,
    context: 128,
    batch: 8,
    lr: 3e-3,
    steps: 1600,
    evalEvery: 250,
    sampleEvery: 500,
  },
  '1m': { tokenizer: 'bpe:2048', dim: 128, layers: 4, heads: 4, kvHeads: 2, context: 128 },
  '5m': { tokenizer: 'bpe:4096', dim: 224, layers: 6, heads: 7, context: 256, lr: 8e-4, steps: 5000 },
  '7m': { tokenizer: 'bpe:4096', dim: 288, layers: 6, heads: 6, context: 256, lr: 6e-4, steps: 10_000 },
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

/** How long to train: one of them says it. */
export const lengths = ['steps', 'epochs', 'time'] as const;
/** Blocks without an activation of their own. */
const isOpenBlock = (ffn: string): boolean => ffn === 'mlp' || ffn === 'gated';

/**
 * Settings in layers, each in force over those before it. What says a length replaces every earlier length, and a block
 * with an activation of its own the earlier activation.
 */
export function layered(...layers: readonly PartialSettings[]): PartialSettings {
  const result: PartialSettings = {};
  for (const layer of layers) {
    const above = Object.entries(layer).filter(([, value]) => value !== undefined);
    const { ffn, activation }: PartialSettings = Object.fromEntries(above);
    if (above.some(([name]) => lengths.includes(name as never))) for (const name of lengths) delete result[name];
    if (ffn !== undefined && !isOpenBlock(ffn)) delete result.activation;
    if (activation !== undefined && result.ffn !== undefined && !isOpenBlock(result.ffn)) delete result.ffn;
    Object.assign(result, Object.fromEntries(above));
  }
  return result;
}

/**
 * The block: one for an activation that comes alone, else the usual one.
 * @throws SluiceError `argument` for an activation beside a block that has its own.
 */
export function blockOr(usual: string, { ffn, activation }: PartialSettings): string {
  const block = ffn ?? (activation === undefined ? usual : 'gated');
  if (activation !== undefined && !isOpenBlock(block)) {
    throw new SluiceError('argument', {
      rule: `--ffn ${block} brings its own activation`,
      received: `--activation ${activation}`,
      remedy: 'Leave it out, or use --ffn gated or --ffn mlp.',
    });
  }
  return block;
}

function blockOf(given: PartialSettings): string {
  const { model, ffn } = given;
  const block = blockOr(defaults.ffn, model === 'arcee' ? { ...given, ffn: ffn ?? 'mlp' } : given);
  if (model !== undefined && (model === 'llama') !== (blockKind(block) === 'gate')) {
    throw new SluiceError('argument', {
      rule: 'llama has a gated block and arcee one that is not',
      received: `--model ${model} --ffn ${block}`,
      remedy: 'Leave --model out: it follows from --ffn.',
    });
  }
  return block;
}

/** What is said, without what is undefined. */
export const stated = (given: PartialSettings): Partial<Settings> =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));

/** The settings of a LLaMA or an Arcee, each that was left open from what it depends on. */
export function completeLlama(given: PartialSettings & Pick<Settings, 'data'>): Settings {
  const ffn = blockOf(given);
  const model = given.model ?? (blockKind(ffn) === 'gate' ? 'llama' : 'arcee');
  return { ...completeDecoder({ ...given, ffn }, ffn), model };
}

/** The settings of a decoder, each that was left open from what it depends on; `usual` is its block. */
export function completeDecoder(given: PartialSettings & Pick<Settings, 'data'>, usual: string): Settings {
  const settings = { ...defaults, ...stated(given), data: given.data, ffn: blockOr(usual, given) };
  return {
    ...settings,
    hidden: given.hidden ?? hiddenWidth(settings.dim, blockKind(settings.ffn)),
    kvHeads: given.kvHeads ?? settings.heads,
    minLr: given.minLr ?? settings.lr / 10,
  };
}
