/** Which model type of Transformers can carry which feed-forward block. */
import { find, readFormula } from '../../activations/catalogue.js';
import type { Formula, Kind, StoredFormula } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import type { BlockFormula } from '../../layers/feed-forward.js';
import { gateOf, hiddenAct } from './activation-names.js';
import type { Json } from './config-values.js';

type Block = 'gate' | 'activation';

interface ModelTypeFacts {
  /** The block that the type is welded to; a block of the other kind does not fit its weights. */
  readonly block: Block;
  /** The key of config.json that names the activation. */
  readonly key: string;
  /** What is meant where the key is left out. */
  readonly usual: string;
  /** It reads texts, and writes none. */
  readonly isEncoder?: true;
  /** Names that mean something else here than in ACT2FN. */
  readonly reads?: Readonly<Record<string, string>>;
  /** The name to write for those. */
  readonly writes?: Readonly<Record<string, string>>;
}

/** The model types of Transformers that we have. */
const modelTypes = {
  llama: { block: 'gate', key: 'hidden_act', usual: 'silu' },
  arcee: { block: 'activation', key: 'hidden_act', usual: 'relu2' },
  gpt2: { block: 'activation', key: 'activation_function', usual: 'gelu_new' },
  qwen2: { block: 'gate', key: 'hidden_act', usual: 'silu' },
  gemma: {
    block: 'gate',
    key: 'hidden_act',
    usual: 'gelu_pytorch_tanh',
    // Transformers corrects the first Gemmas, which said gelu and meant the approximation.
    reads: { gelu: 'gelu_pytorch_tanh' },
    writes: { gelu: 'gelu_python' },
  },
  bert: { block: 'activation', key: 'hidden_act', usual: 'gelu', isEncoder: true },
  modernbert: { block: 'gate', key: 'hidden_activation', usual: 'gelu', isEncoder: true },
} as const satisfies Readonly<Record<string, ModelTypeFacts>>;

export type CarrierType = keyof typeof modelTypes;
const isEncoder = (type: CarrierType): boolean => 'isEncoder' in modelTypes[type];
const typesOf = (encoders: boolean): CarrierType[] =>
  (Object.keys(modelTypes) as CarrierType[]).filter((type) => isEncoder(type) === encoders);
/** The decoders. */
export const carrierTypes = typesOf(false);

/** How a block is kept in a config.json. */
export interface Carrier {
  readonly type: CarrierType;
  /** The activation's name in ACT2FN; undefined where Transformers has none, so that the model is ours alone. */
  readonly act: string | undefined;
}

const kindNames = { gate: 'gated', activation: 'plain', row: 'of a row function' } as const;

/** The model types that can have such a block, the usual one first; Transformers has none for a row function. */
export const carriersOf = ({ kind }: Pick<Formula, 'kind'>, encoders = false): CarrierType[] =>
  kind === 'row' && !encoders ? ['arcee'] : typesOf(encoders).filter((type) => modelTypes[type].block === kind);

/**
 * Where a block can live: the wanted model type, or the first that has such a block.
 * @throws SluiceError `argument` for a type whose block is of the other kind.
 */
export function carrierOf(feedForward: BlockFormula, wanted?: CarrierType): Carrier {
  const fitting = carriersOf(feedForward, wanted !== undefined && isEncoder(wanted));
  const [usual = 'llama'] = fitting;
  const type = wanted ?? usual;
  if (!fitting.includes(type)) {
    const own = kindNames[feedForward.kind];
    throw new SluiceError('argument', {
      rule: `the feed-forward block of ${type} is ${kindNames[modelTypes[type].block]}`,
      received: `${feedForward.name}, ${own}`,
      remedy:
        fitting.length === 0
          ? 'Choose a gate, geglu for example.'
          : `With a block that is ${own}: --model ${fitting.join(' or ')}.`,
    });
  }
  const act = hiddenAct(feedForward);
  const { writes }: ModelTypeFacts = modelTypes[type];
  return { type, act: act === undefined ? undefined : (writes?.[act] ?? act) };
}

/** What a block of our own is kept as beside its name, so that config.json alone says what is computed. */
const ownFormula = 'sluice_feed_forward';

/** The keys of config.json that say the block. */
export function encodeBlock(feedForward: BlockFormula, wanted: CarrierType): Record<string, unknown> {
  const { type, act } = carrierOf(feedForward, wanted);
  const { key } = modelTypes[type];
  // A name that Transformers lacks fails to load there, which is right: the model computes something else.
  if (act === undefined) return { [key]: `sluice:${feedForward.name}`, [ownFormula]: feedForward.toJSON() };
  return { [key]: act };
}

/**
 * The block that config.json says.
 * @param stored the formula where the run keeps it itself.
 * @throws SluiceError `name` for an activation that we do not have, `format` for a formula of our own that is none.
 */
export function decodeBlock(json: Json, type: CarrierType, stored?: Formula): BlockFormula {
  if (stored !== undefined) return stored as BlockFormula;
  const { block, key, usual, reads }: ModelTypeFacts = modelTypes[type];
  if (json[ownFormula] !== undefined) return readOwn(json[ownFormula], type);
  const name = String(json[key] ?? usual);
  const activation = find(reads?.[name] ?? name, 'activation');
  return block === 'gate' ? gateOf(activation) : activation;
}

function readOwn(value: unknown, type: CarrierType): BlockFormula {
  const record = typeof value === 'object' && value !== null ? (value as Json) : {};
  const { kind, name, expression, parameters, source } = record;
  const isText = [name, expression, source].every((part) => typeof part === 'string');
  const fits =
    Object.keys(kindNames).some((known) => known === kind) &&
    carriersOf({ kind: kind as Kind }, isEncoder(type)).includes(type);
  if (!fits || !isText || !areParameters(parameters)) {
    throw new SluiceError('format', {
      rule: `${ownFormula} in config.json is the formula of a block of ${type}, as Sluice wrote it`,
      received: value,
      remedy: 'Restore the file as Sluice wrote it.',
    });
  }
  return readFormula({ kind, name, expression, parameters, source } as StoredFormula) as BlockFormula;
}

const areParameters = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((parameter: unknown) => {
    const { value: number, learned } = (parameter ?? {}) as Json;
    return Number.isFinite(number) && typeof learned === 'boolean';
  });
