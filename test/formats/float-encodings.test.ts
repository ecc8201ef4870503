import { describe, expect, test } from 'vitest';
import { encodeFloats } from '../../src/formats/float-encodings.js';
import { parseSafetensors } from '../../src/formats/safetensors.js';
import { encodeSafetensors } from '../../src/formats/safetensors-write.js';

const halvesOf = (bytes: Uint8Array): Uint16Array => new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);

describe.each([
  ['bfloat16', 'BF16'],
  ['float16', 'F16'],
] as const)('%s', (dtype, name) => {
  test('is written back as it was read, all 65,536 values', () => {
    const halves = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    const entry = { name: 'w', dtype: name, shape: [65_536], bytes: () => new Uint8Array(halves.buffer) };
    const values = parseSafetensors(encodeSafetensors([entry])).readFloat32('w');
    const written = halvesOf(encodeFloats(values, dtype));
    const isNan = (bits: number): boolean =>
      dtype === 'bfloat16' ? (bits & 0x7fff) > 0x7f80 : (bits & 0x7fff) > 0x7c00;
    const other = halves.filter((bits) => (isNan(bits) ? !isNan(written[bits] ?? 0) : written[bits] !== bits));
    expect([...other]).toEqual([]);
  });

  test('rounds to nearest, ties to even, as the nearest of both neighbours', () => {
    const halves = Uint16Array.from({ length: 0x7bff }, (_, i) => i);
    const entry = { name: 'w', dtype: name, shape: [halves.length], bytes: () => new Uint8Array(halves.buffer) };
    const exact = parseSafetensors(encodeSafetensors([entry])).readFloat32('w');
    const middles = Float32Array.from({ length: halves.length - 1 }, (_, i) => {
      return ((exact[i] ?? 0) + (exact[i + 1] ?? 0)) / 2;
    });
    const rounded = halvesOf(encodeFloats(middles, dtype));
    const wrong = middles.findIndex((middle, i) => {
      const isExactMiddle = 2 * middle === (exact[i] ?? 0) + (exact[i + 1] ?? 0);
      return isExactMiddle && rounded[i] !== i + (i & 1);
    });
    expect(wrong).toBe(-1);
  });
});

test('what is too large for a float16 becomes infinity', () => {
  const values = Float32Array.of(65_504, 65_519, 65_520, -1e9, Number.POSITIVE_INFINITY, Number.NaN);
  expect([...halvesOf(encodeFloats(values, 'float16'))]).toEqual([0x7bff, 0x7bff, 0x7c00, 0xfc00, 0x7c00, 0x7e00]);
});
