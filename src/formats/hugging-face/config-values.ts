/** Values of a config.json, each checked as it is read. */
import { SluiceError } from '../../base/errors.js';

export type Json = Readonly<Record<string, unknown>>;

/** false where it is left out, unless said otherwise. @throws SluiceError `format` for anything but true and false. */
export function flagOf(json: Json, key: string, fallback = false): boolean {
  const value = json[key] ?? fallback;
  if (typeof value === 'boolean') return value;
  throw new SluiceError('format', {
    rule: `${key} in config.json is true or false`,
    received: value,
    remedy: `Correct it, or leave it out for ${fallback}.`,
  });
}

/** @throws SluiceError `format` for what is no number of at least 0. */
export function numberOf(json: Json, key: string, fallback: number): number {
  const value = json[key] ?? fallback;
  if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value;
  throw new SluiceError('format', {
    rule: `${key} in config.json is a number of at least 0`,
    received: value,
    remedy: `Correct it, or leave it out for ${fallback}.`,
  });
}

/** @throws SluiceError `format` for what is no size. */
export function countOf(json: Json, key: string, fallback?: number): number {
  const value = json[key] ?? fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
  throw new SluiceError('format', {
    rule: `config.json has ${key}, a whole number above 0`,
    received: value,
    remedy: 'Fetch config.json anew, or give it what the weights have.',
  });
}

/** An object of the configuration; empty where it is left out or null. */
export function recordOf(json: Json, key: string): Json {
  const value = json[key] ?? {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Json;
  throw new SluiceError('format', {
    rule: `${key} in config.json is an object`,
    received: value,
    remedy: 'Correct it, or leave it out.',
  });
}
