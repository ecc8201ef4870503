import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSafetensors } from '../../src/formats/safetensors.js';
import { encodeSafetensors, float32Entry } from '../../src/formats/safetensors-write.js';
import { errorOf, member, safetensorsOf } from './make-safetensors.js';

test('a file written by hand gives its tensors', () => {
  const header = '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"format":"pt"}} ';
  const text = [...header].map((character) => character.charCodeAt(0));
  // 1 is 3f800000 and -2 is c0000000, lowest byte first.
  const file = new Uint8Array([text.length, 0, 0, 0, 0, 0, 0, 0, ...text, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  const parsed = parseSafetensors(file);
  expect(parsed.names()).toEqual(['w']);
  expect(parsed.info('w')).toEqual({ dtype: 'F32', shape: [2], byteLength: 8 });
  expect(parsed.metadata.get('format')).toBe('pt');
  expect(parsed.readFloat32('w')).toEqual(new Float32Array([1, -2]));
  expect([...parsed.read('w')]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
});

test('a tensor at an odd byte, in a view at an odd byte, is read aligned', () => {
  const file = safetensorsOf(`{${member('a', 'U8', '[1]', 0, 1)},${member('b', 'F32', '[1]', 1, 5)}} `, 5);
  new DataView(file.buffer).setFloat32(file.length - 4, 1.5, true);
  const shifted = new Uint8Array(file.length + 1);
  shifted.set(file, 1);
  const parsed = parseSafetensors(shifted.subarray(1));
  expect(parsed.readFloat32('b')).toEqual(new Float32Array([1.5]));
  expect(parsed.read('b').byteOffset % 8).toBe(0);
});

test('what is read is a copy', () => {
  const file = encodeSafetensors([float32Entry('w', [1], new Float32Array([1]))]);
  const parsed = parseSafetensors(file);
  parsed.read('w').fill(255);
  parsed.readFloat32('w').fill(9);
  expect(parsed.readFloat32('w')).toEqual(new Float32Array([1]));
});

test('an unknown tensor is refused with the nearest name', async () => {
  const parsed = parseSafetensors(encodeSafetensors([float32Entry('layer.0.weight', [1], new Float32Array(1))]));
  const error = await errorOf(() => parsed.info('layer.0.wieght'));
  expect(error.code).toBe('name');
  expect(error.message).toMatch(/Did you mean "layer.0.weight"/);
});

describe('float32 values', () => {
  const halves = (words: number[], dtype: string) => {
    const bytes = words.flatMap((word) => [word & 255, word >> 8]);
    const file = safetensorsOf(`{${member('a', dtype, `[${words.length}]`, 0, bytes.length)}}`, bytes.length);
    file.set(bytes, file.length - bytes.length);
    return [...parseSafetensors(file).readFloat32('a')];
  };

  test('of F16 are exact, subnormals, infinities and signed zeros too', () => {
    const words = [
      0x3c00, 0xc000, 0x3555, 0x7bff, 0x0400, 0x03ff, 0x0001, 0x8001, 0x7c00, 0xfc00, 0x7e00, 0x0000, 0x8000,
    ];
    const values = [1, -2, 0.333251953125, 65504, 2 ** -14, 1023 * 2 ** -24, 2 ** -24, -(2 ** -24)];
    expect(halves(words, 'F16')).toEqual([...values, Infinity, -Infinity, NaN, 0, -0]);
  });

  test('of every F16 word agree with its sign, exponent and fraction', () => {
    const words = Array.from({ length: 2 ** 16 }, (_, word) => word);
    const expected = words.map((word) => {
      const [sign, exponent, fraction] = [word >> 15 ? -1 : 1, (word >> 10) & 31, word & 1023];
      if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
      return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
    });
    expect(halves(words, 'F16')).toEqual(expected);
  });

  test('of BF16 are exact', () => {
    const words = [0x3f80, 0xc000, 0x7f7f, 0x0001, 0x7f80, 0xff80, 0x7fc0, 0x8000];
    const largest = (2 - 2 ** -7) * 2 ** 127;
    expect(halves(words, 'BF16')).toEqual([1, -2, largest, 2 ** -133, Infinity, -Infinity, NaN, -0]);
  });

  test('of F64 are rounded to nearest, those too large to infinity', () => {
    const values = new Float64Array([0.1, 1e300, -1e-300, 16777217, NaN, -0]);
    const bytes = new Uint8Array(values.buffer);
    const file = encodeSafetensors([{ name: 'a', dtype: 'F64', shape: [6], bytes: () => bytes }]);
    const expected = [Math.fround(0.1), Infinity, -0, 16777216, NaN, -0];
    expect([...parseSafetensors(file).readFloat32('a')]).toEqual(expected);
  });

  test('of integers are refused', async () => {
    const file = encodeSafetensors([{ name: 'a', dtype: 'I64', shape: [1], bytes: () => new Uint8Array(8) }]);
    const error = await errorOf(() => parseSafetensors(file).readFloat32('a'));
    expect(error.code).toBe('format');
    expect(error.message).toMatch(/F32, BF16, F16, F64 .*received "I64"/);
  });
});

test('reading and writing in memory loads nothing of Node', () => {
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const source = readFileSync(path, 'utf8');
    for (const [, types, from] of source.matchAll(/^(?:import|export) (type )?[^;]*? from '([^']+)';/gm)) {
      if (types !== undefined || from === undefined) continue;
      expect(from, path).toMatch(/^\./);
      visit(join(dirname(path), from.replace(/\.js$/, '.ts')));
    }
  };
  for (const file of ['safetensors', 'safetensors-write', 'safetensors-header']) {
    visit(join(import.meta.dirname, `../../src/formats/${file}.ts`));
  }
  expect(seen.size).toBeGreaterThan(6);
});

test('what is written is read back, byte for byte', () => {
  const dtype = fc.constantFrom('U8', 'F16', 'BF16', 'F32', 'I64', 'F64', 'BOOL', 'C64' as const);
  const widths = { U8: 1, BOOL: 1, F16: 2, BF16: 2, F32: 4, I64: 8, F64: 8, C64: 8 };
  const tensor = fc
    .record({ dtype, shape: fc.array(fc.nat(4), { maxLength: 4 }), seed: fc.nat(255) })
    .map(({ dtype, shape, seed }) => {
      const length = shape.reduce((product, size) => product * size, 1) * widths[dtype];
      return { dtype, shape, content: Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255) };
    });
  const name = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 8 })
    .filter((text) => !text.includes('\0') && !(text in {}) && text !== 'prototype' && text !== '__metadata__');
  fc.assert(
    fc.property(fc.dictionary(name, tensor, { maxKeys: 6 }), fc.dictionary(name, fc.string()), (tensors, metadata) => {
      const entries = Object.entries(tensors).map(([name, { content, ...info }]) => ({
        name,
        ...info,
        bytes: () => content,
      }));
      const parsed = parseSafetensors(encodeSafetensors(entries, metadata));
      expect(parsed.names().sort()).toEqual(Object.keys(tensors).sort());
      expect(Object.fromEntries(parsed.metadata)).toEqual({ format: 'pt', ...metadata });
      for (const { name, dtype, shape, bytes } of entries) {
        expect(parsed.info(name)).toEqual({ dtype, shape, byteLength: bytes().length });
        expect(parsed.read(name)).toEqual(bytes());
      }
    }),
    { numRuns: 300 },
  );
});
