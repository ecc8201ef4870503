/** Rotary positions in config.json. */
import { SluiceError } from '../../base/errors.js';
import { type Json, numberOf, recordOf } from './config-values.js';

/** What positions that are not scaled have beside their base. */
const plainRotary: Json = { rope_type: 'default', type: 'default', partial_rotary_factor: 1 };

/**
 * The base of the rotary positions: version 5 of Transformers keeps it in rope_parameters, older ones at the top.
 * @throws SluiceError `format` for positions that are scaled, or turn a part of a head alone.
 */
export function ropeTheta(json: Json): number {
  const parts = { rope_scaling: recordOf(json, 'rope_scaling'), rope_parameters: recordOf(json, 'rope_parameters') };
  for (const [key, part] of Object.entries(parts)) {
    for (const [name, value] of Object.entries(part)) {
      if (name === 'rope_theta' || value === null || value === plainRotary[name]) continue;
      throw new SluiceError('format', {
        rule: `rotary positions are not scaled here: ${key}.${name} is ${plainRotary[name] ?? 'left out'}`,
        received: value,
        remedy: 'Without its scaling the model would compute something else: choose one that has none.',
      });
    }
  }
  const nested = { ...parts.rope_scaling, ...parts.rope_parameters };
  return numberOf(nested, 'rope_theta', numberOf(json, 'rope_theta', 10_000));
}
