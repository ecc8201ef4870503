/** Rotary positions in config.json. */
import { SluiceError } from '../../base/errors.js';
import { didYouMean } from '../../base/nearest.js';
import { type RopeScaling, yarnAttentionFactor } from '../../layers/rope-scaling.js';
import { countOf, flagOf, type Json, numberOf, recordOf } from './config-values.js';

interface Rope {
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling | undefined;
}

type Read = (part: Json, positions: number) => RopeScaling | undefined;

/** The ways that Transformers scales positions, by its names, each with what it reads. */
const scalings: Readonly<
  Record<RopeScaling['type'] | 'default', { readonly keys: readonly string[]; readonly read: Read }>
> = {
  default: { keys: [], read: () => undefined },
  linear: { keys: ['factor'], read: (part) => ({ type: 'linear', factor: factorOf(part) }) },
  dynamic: { keys: ['factor'], read: (part) => ({ type: 'dynamic', factor: factorOf(part) }) },
  llama3: {
    keys: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
    read: (part, positions) => ({
      type: 'llama3',
      factor: factorOf(part),
      lowFrequencyFactor: positiveOf(part, 'low_freq_factor'),
      highFrequencyFactor: positiveOf(part, 'high_freq_factor'),
      originalPositions: countOf(part, 'original_max_position_embeddings', positions),
    }),
  },
  yarn: {
    keys: [
      ...['factor', 'original_max_position_embeddings', 'attention_factor', 'beta_fast', 'beta_slow'],
      ...['mscale', 'mscale_all_dim', 'truncate', 'finetuned'],
    ],
    read: readYarn,
  },
};

function readYarn(part: Json, positions: number): RopeScaling {
  const originalPositions = countOf(part, 'original_max_position_embeddings', positions);
  const factor = part['factor'] == null ? positions / originalPositions : factorOf(part);
  const [mscale, all] = [numberOf(part, 'mscale', 0), numberOf(part, 'mscale_all_dim', 0)];
  const suggested = yarnAttentionFactor(factor, mscale > 0 && all > 0 ? { mscale, all } : undefined);
  return {
    type: 'yarn',
    factor,
    originalPositions,
    attentionFactor: numberOf(part, 'attention_factor', suggested),
    // 0 is as good as nothing, in Transformers too.
    betaFast: numberOf(part, 'beta_fast', 32) || 32,
    betaSlow: numberOf(part, 'beta_slow', 1) || 1,
    truncate: flagOf(part, 'truncate', true),
  };
}

const factorOf = (part: Json): number => positiveOf(part, 'factor');

function positiveOf(part: Json, key: string): number {
  const value = part[key];
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  throw new SluiceError('format', {
    rule: `rotary positions that are scaled have ${key} in config.json, a number above 0`,
    received: value,
    remedy: 'Fetch config.json anew: without it the model would compute something else.',
  });
}

/** What says nothing where it has this value. */
const plain: Json = { partial_rotary_factor: 1 };

/**
 * Rotary positions: version 5 of Transformers keeps them in rope_parameters, older ones in rope_scaling with the base at
 * the top.
 * @param positions of the model.
 * @throws SluiceError `format` for what we do not compute, or what is impossible.
 */
export function decodeRope(json: Json, positions: number): Rope {
  const older = recordOf(json, 'rope_scaling');
  // As Transformers reads them: the older spelling counts where both are there.
  const [place, found] =
    Object.keys(older).length > 0
      ? (['rope_scaling', older] as const)
      : (['rope_parameters', recordOf(json, 'rope_parameters')] as const);
  const { original_max_position_embeddings: original = found['original_max_position_embeddings'] } = json;
  const part = { ...found, original_max_position_embeddings: original };
  const type = String(found['rope_type'] ?? found['type'] ?? 'default');
  const scaling = Object.entries(scalings).find(([name]) => name === type)?.[1];
  if (scaling === undefined) {
    throw new SluiceError('format', {
      rule: `${place}.rope_type in config.json is one of ${Object.keys(scalings).join(', ')}`,
      received: type,
      remedy: didYouMean(type, Object.keys(scalings), 'Without its scaling the model would compute something else.'),
    });
  }
  const known = ['rope_theta', 'rope_type', 'type', ...scaling.keys];
  for (const [name, value] of Object.entries(found)) {
    if (known.includes(name) || value === null || value === plain[name]) continue;
    throw new SluiceError('format', {
      rule: `rotary positions of type ${type} do without ${place}.${name}`,
      received: value,
      remedy: 'Without it the model would compute something else: choose one that has none.',
    });
  }
  const ropeTheta = numberOf(found, 'rope_theta', numberOf(json, 'rope_theta', 10_000));
  return { ropeTheta, ropeScaling: scaling.read(part, positions) };
}

/** In the older spelling, which all versions read. */
export const encodeRope = ({ ropeTheta, ropeScaling }: Rope): Record<string, unknown> => ({
  rope_theta: ropeTheta,
  ...(ropeScaling === undefined ? {} : { rope_scaling: encodeScaling(ropeScaling) }),
});

function encodeScaling(scaling: RopeScaling): Json {
  const { type, factor } = scaling;
  const common = { rope_type: type, factor };
  switch (scaling.type) {
    case 'linear':
    case 'dynamic':
      return common;
    case 'llama3':
      return {
        ...common,
        low_freq_factor: scaling.lowFrequencyFactor,
        high_freq_factor: scaling.highFrequencyFactor,
        original_max_position_embeddings: scaling.originalPositions,
      };
    case 'yarn':
      return {
        ...common,
        original_max_position_embeddings: scaling.originalPositions,
        attention_factor: scaling.attentionFactor,
        beta_fast: scaling.betaFast,
        beta_slow: scaling.betaSlow,
        truncate: scaling.truncate,
      };
  }
}
