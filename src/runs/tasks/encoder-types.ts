/** The encoders as settings and config.json describe them. */
import type { Activation, Formula, Gate } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import { didYouMean } from '../../base/nearest.js';
import { plural } from '../../base/plural.js';
import type { Device } from '../../devices/device.js';
import { gateOf } from '../../formats/hugging-face/activation-names.js';
import { bertCodec } from '../../formats/hugging-face/bert.js';
import { type ConfigCodec, decodeWith } from '../../formats/hugging-face/config-codec.js';
import { modernBertCodec } from '../../formats/hugging-face/modernbert.js';
import { Initializer } from '../../layers/initialization.js';
import { hiddenWidth } from '../../layers/widths.js';
import { Bert, type BertConfig, bertConfig } from '../../models/bert.js';
import type { Encoder, EncoderHead } from '../../models/encoder.js';
import { encoderTrainingBytes, summarizeEncoder } from '../../models/encoder-summary.js';
import { ModernBert, type ModernBertConfig, modernBertConfig } from '../../models/modernbert.js';
import { activationOf, gateOfSettings } from '../model.js';
import type { Costed } from '../plan.js';
import { blockOr, stated } from '../presets.js';
import { defaults, type PartialSettings, type SettingName, type Settings } from '../settings.js';

/** An encoder before it is built. */
export interface EncoderDesign extends Costed {
  /** Tokens of a row that it is trained and judged on. */
  readonly context: number;
  readonly head: EncoderHead;
  /** The classes that its head tells apart. */
  readonly labels: readonly string[];
  /** The formula of its blocks. */
  readonly formula: Gate | Activation;
  /** For a person: its type, and its shape. */
  readonly description: readonly [type: string, shape: string];
  build(device: Device, seed?: number): Encoder;
  /** What is written as config.json. */
  encode(): Readonly<Record<string, unknown>>;
}

/** What stands on an encoder, and the classes that it tells apart. */
export interface EncoderPurpose {
  readonly head: EncoderHead;
  readonly labels?: readonly string[];
}

/** A type of encoder. */
export interface EncoderType {
  /** The settings that it has a use for beside those of every model of text. */
  readonly settings: readonly SettingName[];
  /** Fills in what was left open. @throws SluiceError `argument` for settings that contradict each other. */
  complete(given: PartialSettings & Pick<Settings, 'data'>): Settings;
  /**
   * @param activation of the block in place of the one that settings name.
   * @throws SluiceError `argument` for sizes that do not fit each other.
   */
  design(settings: Settings, vocabSize: number, purpose: EncoderPurpose, activation?: Activation): EncoderDesign;
  /** @throws SluiceError `format` for a missing or impossible value. */
  decode(config: Readonly<Record<string, unknown>>, formula?: Formula): EncoderDesign;
}

interface Family<Config extends BertConfig | ModernBertConfig> {
  readonly name: string;
  readonly codec: ConfigCodec<Config>;
  formulaOf(config: Config): Gate | Activation;
  make(init: Initializer, config: Config): Encoder;
}

function designOf<Config extends BertConfig | ModernBertConfig>(family: Family<Config>, config: Config): EncoderDesign {
  const { numHiddenLayers, hiddenSize, numAttentionHeads, intermediateSize, head, labels } = config;
  const formula = family.formulaOf(config);
  const shape = `${plural(numHiddenLayers, 'layer')} of ${hiddenSize}, ${plural(numAttentionHeads, 'head')}`;
  return {
    vocabSize: config.vocabSize,
    context: config.maxPositionEmbeddings,
    head,
    labels,
    formula,
    description: [family.name, `${shape}, ${formula.name} block of ${intermediateSize}`],
    summary: summarizeEncoder(config),
    trainingBytes: (vocabSize, tokens) => encoderTrainingBytes({ ...config, vocabSize }, tokens),
    build: (device, seed) => family.make(new Initializer(device, seed), config),
    encode: () => family.codec.encode(config),
  };
}

const bertFamily: Family<BertConfig> = {
  name: 'BERT',
  codec: bertCodec,
  formulaOf: ({ activation }) => activation,
  make: (init, config) => new Bert(init, config),
};

const modernBertFamily: Family<ModernBertConfig> = {
  name: 'ModernBERT',
  codec: modernBertCodec,
  formulaOf: ({ gate }) => gate,
  make: (init, config) => new ModernBert(init, config),
};

const sizesOf = ({ dim, layers, heads, hidden, context, dropout }: Settings, vocabSize: number) => ({
  ...{ vocabSize, dim, layers, heads, hidden, context, dropout },
});

function completeWith(given: PartialSettings & Pick<Settings, 'data'>, ffn: string): Settings {
  const settings = { ...defaults, ...stated(given), data: given.data, ffn };
  return {
    ...settings,
    hidden: given.hidden ?? hiddenWidth(settings.dim, ffn === 'mlp' ? 'activation' : 'gate'),
    kvHeads: settings.heads,
    minLr: given.minLr ?? settings.lr / 10,
  };
}

const bertType: EncoderType = {
  settings: ['heads', 'hidden', 'activation', 'param'],
  complete: (given) => completeWith(given, 'mlp'),
  design(settings, vocabSize, purpose, feedForward = activationOf(settings, 'gelu')) {
    return designOf(bertFamily, bertConfig({ ...sizesOf(settings, vocabSize), feedForward, ...purpose }));
  },
  decode: (config, formula) => designOf(bertFamily, decodeWith(bertCodec, config, formula)),
};

const modernBertType: EncoderType = {
  settings: ['heads', 'hidden', 'ffn', 'activation', 'param'],
  complete(given) {
    const ffn = blockOr('geglu', given);
    if (ffn !== 'mlp') return completeWith(given, ffn);
    throw new SluiceError('argument', {
      rule: 'modernbert has a gated block',
      received: '--ffn mlp',
      remedy: 'Use --ffn gated with --activation, or --model bert.',
    });
  },
  design(settings, vocabSize, purpose, activation) {
    const feedForward = activation === undefined ? gateOfSettings(settings, 'modernbert') : gateOf(activation);
    return designOf(modernBertFamily, modernBertConfig({ ...sizesOf(settings, vocabSize), feedForward, ...purpose }));
  },
  decode: (config, formula) => designOf(modernBertFamily, decodeWith(modernBertCodec, config, formula)),
};

/** The encoders, by what --model says; the first is the usual one. */
export const encoderTypes = { bert: bertType, modernbert: modernBertType } as const satisfies Partial<
  Record<Settings['model'], EncoderType>
>;
export type EncoderName = keyof typeof encoderTypes;

export const isEncoder = (name: string): name is EncoderName => Object.hasOwn(encoderTypes, name);

/** @throws SluiceError `argument` for a model that is no encoder. */
export function encoderNamed(name: Settings['model'] = 'bert'): EncoderType {
  if (isEncoder(name)) return encoderTypes[name];
  const known = Object.keys(encoderTypes);
  throw new SluiceError('argument', {
    rule: `mlm is learned by ${known.join(' or ')}`,
    received: `--model ${name}`,
    remedy: didYouMean(name, known, `Leave it out for ${known[0]}.`),
  });
}
