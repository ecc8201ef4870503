import type { Formula } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import { didYouMean } from '../../base/nearest.js';
import type { Json } from './config-values.js';

/** How the configurations of some model types are kept as config.json. */
export interface ConfigCodec<Config> {
  /** The model types that it reads. */
  readonly types: readonly string[];
  /** @param endOfText the token that ends a text, where the tokenizer has one: generation stops there. */
  encode(config: Config, endOfText?: number): Record<string, unknown>;
  /**
   * @param json of one of its model types: `decodeWith` sees to it.
   * @param stored the block's formula where the run keeps it itself.
   * @throws SluiceError `format` for a missing or impossible value, `name` for an activation that we do not have.
   */
  decode(json: Json, stored?: Formula): Config;
}

/** What the codec reads. @throws SluiceError `name` for a model type that is none of its own, and as it does itself. */
export function decodeWith<Config>(codec: ConfigCodec<Config>, json: Json, stored?: Formula): Config {
  const type = json['model_type'];
  const { types } = codec;
  if (types.includes(String(type))) return codec.decode(json, stored);
  throw new SluiceError('name', {
    rule: `a model type is ${types.join(' or ')} here`,
    received: type,
    remedy: didYouMean(String(type), types, 'Other types are to come.'),
  });
}
