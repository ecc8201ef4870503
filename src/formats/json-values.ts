import { SluiceError } from '../base/errors.js';

/** What {@link encodeJson} writes and {@link decodeJson} gives back: JSON, every number, and integers of any size. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/** JSON.stringify writes NaN and the infinities as null and -0 as 0; they become `{"$number": "NaN"}`, and back. */
const specialNumbers: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);
const mostDepth = 100;

/**
 * JSON text of a value, with nothing lost: NaN, infinities, -0 and bigints are tagged. Throws `argument`, naming the place,
 * for what JSON would drop or mangle (a Map, a typed array, a function, undefined in a list) and for cycles.
 * Undefined members are left out.
 */
export const encodeJson = (value: unknown, indent = 0): string => JSON.stringify(tagged(value, '', 0), null, indent);

/** The value of a text by {@link encodeJson}. Throws `format`. */
export function decodeJson(text: string): unknown {
  try {
    return JSON.parse(text, (_key, value: unknown) => untagged(value));
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    const rule = `a JSON text must be well-formed (${cause instanceof Error ? cause.message : 'unreadable'})`;
    throw new SluiceError('format', { rule, remedy: 'Correct the text there, or write it anew.', cause });
  }
}

function tagged(value: unknown, place: string, depth: number): unknown {
  if (depth > mostDepth) throw refused('must not nest so deep or in a circle', place, `${depth} levels`);
  if (typeof value === 'number') return taggedNumber(value);
  if (typeof value === 'bigint') return { $bigint: value.toString() };
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (Array.isArray(value)) return Array.from(value, (item, i) => tagged(item, `${place}[${i}]`, depth + 1));
  if (typeof value !== 'object' || !isPlain(value)) throw refused('must be plain JSON', place, describe(value));
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  if (members.some(([key]) => key === '$number' || key === '$bigint')) {
    throw refused('must not use the reserved keys $number and $bigint', place, Object.keys(value));
  }
  return Object.fromEntries(members.map(([key, member]) => [key, tagged(member, `${place}.${key}`, depth + 1)]));
}

function taggedNumber(value: number): unknown {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  return { $number: Object.is(value, -0) ? '-0' : String(value) };
}

function untagged(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('$number' in value) {
    const special = specialNumbers.get(String(value.$number));
    if (special === undefined || Object.keys(value).length > 1) throw badTag(value);
    return special;
  }
  if (!('$bigint' in value)) return value;
  const digits = value.$bigint;
  if (typeof digits !== 'string' || !/^-?[0-9]+$/.test(digits) || Object.keys(value).length > 1) throw badTag(value);
  return BigInt(digits);
}

const badTag = (value: object): SluiceError =>
  new SluiceError('format', {
    rule: 'a tagged number must be NaN, Infinity, -Infinity, -0 or digits',
    received: value,
    remedy: 'Write such numbers with encodeJson().',
  });

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  return typeof value === 'object' && value !== null ? (value.constructor?.name ?? 'an object') : typeof value;
}

const refused = (rule: string, place: string, received: unknown): SluiceError =>
  new SluiceError('argument', {
    rule: `a value to save ${rule} (at ${place === '' ? 'its top' : place})`,
    received,
    remedy: 'Save tensors in a safetensors part and lists as arrays.',
  });
