import { describe, expect, test } from 'vitest';
import { parseSafetensors } from '../../src/formats/safetensors.js';
import {
  encodeSafetensors,
  float32Entry,
  type SafetensorsEntry,
  safetensorsByteLength,
  writeSafetensors,
} from '../../src/formats/safetensors-write.js';
import { errorOf } from './make-safetensors.js';

const entry = (name: string, dtype: SafetensorsEntry['dtype'], shape: number[], length: number) => ({
  name,
  dtype,
  shape,
  bytes: () => new Uint8Array(length).fill(name.length),
});

const headerOf = (file: Uint8Array): string => {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  return new TextDecoder().decode(file.subarray(8, 8 + length));
};

test('tensors are ordered by descending dtype, then by name', () => {
  const entries = [
    entry('b', 'U8', [1], 1),
    entry('z', 'F32', [1], 4),
    entry('a', 'F16', [1], 2),
    entry('a2', 'U8', [1], 1),
    entry('y', 'F64', [1], 8),
    entry('x', 'F32', [1], 4),
  ];
  expect(parseSafetensors(encodeSafetensors(entries)).names()).toEqual(['y', 'x', 'z', 'a', 'a2', 'b']);
});

test('names are ordered by their UTF-8 bytes', () => {
  // The surrogates of U+1F600 sort below U+FFFD as UTF-16, above it as UTF-8.
  const entries = ['\u{1F600}', '\uFFFD', 'ab', 'a', 'é'].map((name) => entry(name, 'U8', [1], 1));
  expect(parseSafetensors(encodeSafetensors(entries)).names()).toEqual(['a', 'ab', 'é', '\uFFFD', '\u{1F600}']);
});

test('the header begins with a brace, ends in spaces, and the data begins at a multiple of 64', () => {
  for (let length = 1; length < 140; length += 7) {
    const file = encodeSafetensors([entry('n'.repeat(length), 'U8', [3], 3)]);
    const header = headerOf(file);
    expect((8 + header.length) % 64).toBe(0);
    expect(header).toMatch(/^\{"__metadata__":\{"format":"pt"\},"n.*\} *$/);
    expect(file.length).toBe(8 + header.length + 3);
  }
});

test('the metadata names the format pt unless told otherwise', () => {
  const metadataOf = (metadata?: Record<string, string>) =>
    Object.fromEntries(parseSafetensors(encodeSafetensors([], metadata)).metadata);
  expect(metadataOf()).toEqual({ format: 'pt' });
  expect(metadataOf({ step: '7' })).toEqual({ format: 'pt', step: '7' });
  expect(metadataOf({ format: 'np' })).toEqual({ format: 'np' });
});

test('a streamed file is the same as one in memory, of the size told before', async () => {
  const entries = [float32Entry('w', [2, 2], new Float32Array([1, 2, 3, 4])), entry('b', 'U8', [5], 5)];
  const pieces: Uint8Array[] = [];
  await writeSafetensors({ write: async (bytes) => void pieces.push(bytes.slice()) }, entries);
  const whole = encodeSafetensors(entries);
  expect(pieces.flatMap((piece) => [...piece])).toEqual([...whole]);
  expect(safetensorsByteLength(entries)).toBe(whole.length);
});

test('a tensor is asked for only after the one before it was written', async () => {
  const events: string[] = [];
  const entries = ['a', 'b'].map((name) => ({
    ...entry(name, 'U8', [1], 1),
    bytes: async () => {
      events.push(`make ${name}`);
      return new Uint8Array(1);
    },
  }));
  await writeSafetensors({ write: async (bytes) => void events.push(`write ${bytes.length}`) }, entries);
  expect(events).toEqual([expect.stringMatching(/^write/), 'make a', 'write 1', 'make b', 'write 1']);
});

describe('refused before anything is written', () => {
  test.each<[string, SafetensorsEntry<Uint8Array>[], string]>([
    ['a repeated name', [entry('a', 'U8', [1], 1), entry('a', 'U8', [1], 1)], 'name'],
    ['a tensor named as the metadata', [entry('__metadata__', 'U8', [1], 1)], 'name'],
    ['a name of a property of every object', [entry('__proto__', 'U8', [1], 1)], 'format'],
    ['an unpaired surrogate', [entry('\ud800', 'U8', [1], 1)], 'format'],
    ['a fraction as a size', [entry('a', 'U8', [1.5], 1)], 'shape'],
    ['a negative size', [entry('a', 'U8', [-1], 1)], 'shape'],
    ['half bytes', [entry('a', 'F4', [3], 1)], 'format'],
    ['too many elements', [entry('a', 'F4', [2 ** 40, 2 ** 40], 1)], 'format'],
    ['a prototype as a dtype', [{ ...entry('a', 'U8', [1], 1), dtype: 'toString' as 'U8' }], 'name'],
  ])('%s', async (_what, entries, code) => {
    let writes = 0;
    const error = await errorOf(() => writeSafetensors({ write: async () => void writes++ }, entries));
    expect(error.code).toBe(code);
    expect(writes).toBe(0);
  });

  test('metadata that is no text', async () => {
    const error = await errorOf(() => encodeSafetensors([], { step: 7 as unknown as string }));
    expect(error.message).toMatch(/metadata step must be Unicode text, received 7/);
  });
});

test('bytes that do not fit the shape are refused with both numbers', async () => {
  const error = await errorOf(() => encodeSafetensors([entry('w', 'F32', [2, 3], 20)]));
  expect(error.code).toBe('shape');
  expect(error.message).toBe(
    'tensor w of F32 [2, 3] must have 24 bytes, received 20. Correct the shape or the dtype, or give the bytes of all elements.',
  );
});
