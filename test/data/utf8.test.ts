import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { completeUtf8, invalidUtf8At, requireWellFormed, utf8Length } from '../../src/data/utf8.js';
import { trickyTexts } from './samples.js';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('UTF-8', () => {
  test('the length of a text is the number of bytes it encodes to', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(utf8Length(text)).toBe(bytesOf(text).length);
      }),
    );
  });

  test('bytes are invalid exactly when a strict decoder refuses them', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const accepts = (bytes: Uint8Array): boolean => {
      try {
        strict.decode(bytes);
        return true;
      } catch {
        return false;
      }
    };
    const edge = fc.constantFrom(
      0x41,
      0x7f,
      0x80,
      0x8f,
      0x90,
      0x9f,
      0xa0,
      0xbf,
      0xc1,
      0xc2,
      0xe0,
      0xed,
      0xf0,
      0xf4,
      0xf5,
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 6 }), fc.array(edge, { maxLength: 6 }), (some, edges) => {
        for (const bytes of [some, Uint8Array.from(edges)]) {
          const at = invalidUtf8At(bytes);
          expect(at < 0).toBe(accepts(bytes));
          if (at >= 0) expect(accepts(bytes.subarray(0, at))).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['an overlong form', [0x41, 0xc0, 0x80], 1],
    ['a surrogate', [0xed, 0xa0, 0x80], 0],
    ['a value above U+10FFFF', [0x41, 0x42, 0xf4, 0x90, 0x80, 0x80], 2],
    ['a character cut short', [0xe4, 0xb8], 0],
  ])('%s is invalid at its first byte', (_, bytes, at) => {
    expect(invalidUtf8At(Uint8Array.from(bytes))).toBe(at);
  });

  test('the complete part of cut bytes ends at the last whole character', () => {
    for (const text of trickyTexts) {
      const bytes = bytesOf(text);
      for (let length = 0; length <= bytes.length; length++) {
        const whole = completeUtf8(bytes.subarray(0, length));
        expect(length - whole).toBeLessThan(4);
        expect(invalidUtf8At(bytes.subarray(0, whole))).toBe(-1);
        if (invalidUtf8At(bytes.subarray(0, length)) === -1) expect(whole).toBe(length);
      }
    }
  });

  test('a lone surrogate is refused with its place, a pair is not', () => {
    expect(() => requireWellFormed('whale 🐳')).not.toThrow();
    expect(() => requireWellFormed('ab\ud83dc')).toThrow(/U\+D83D at index 2/);
    expect(() => requireWellFormed('\udc33')).toThrow(/U\+DC33 at index 0/);
  });
});
