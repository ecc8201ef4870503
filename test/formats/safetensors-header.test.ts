import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SluiceError } from '../../src/base/errors.js';
import { parseHeader } from '../../src/formats/safetensors-header.js';
import { member, safetensorsOf } from './make-safetensors.js';

const parse = (bytes: Uint8Array) => parseHeader(bytes, bytes.length);
const one = member('a', 'F32', '[2]', 0, 8);

/** The rule that a file breaks; undefined when it loads. */
function refusal(bytes: Uint8Array): string | undefined {
  try {
    parse(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'format') return error.message;
    throw error;
  }
}

/** Files by what is wrong with them, and a word of the refusal. */
const malformed: Record<string, [Uint8Array, RegExp]> = {
  'an empty file': [new Uint8Array(0), /8 bytes/],
  'fewer than 8 bytes': [new Uint8Array(7), /8 bytes/],
  'a length past the limit': [safetensorsOf(`{${one}}`, 8, 100_000_001n), /longer than 100000000/],
  'a length of 2^64 - 1': [safetensorsOf(`{${one}}`, 8, 2n ** 64n - 1n), /18446744073709551615/],
  'a length of 2^53': [safetensorsOf(`{${one}}`, 8, 2n ** 53n), /longer/],
  'a length past the end of the file': [safetensorsOf('{}', 0, 3n), /fit in its file/],
  'a length of 0': [safetensorsOf('', 8), /empty/],
  'bytes that are not UTF-8': [safetensorsOf(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])), /UTF-8/],
  'a byte order mark': [safetensorsOf(`\uFEFF{${one}}`, 8), /"\{" must come next/],
  'a truncated JSON': [safetensorsOf(`{${one}`, 8), /"\}" must come next/],
  'no JSON': [safetensorsOf('hello', 8), /must come next/],
  'an array at the top': [safetensorsOf('[]'), /"\{" must come next/],
  'NUL padding': [safetensorsOf(`{${one}}\0\0`, 8), /nothing must follow/],
  'bytes after the JSON': [safetensorsOf(`{${one}} x`, 8), /nothing must follow/],
  'a second object after the first': [safetensorsOf(`{${one}}{}`, 8), /nothing must follow/],
  'a trailing comma': [safetensorsOf(`{${one},}`, 8), /must come next/],
  'a comment': [safetensorsOf(`{/**/${one}}`, 8), /must come next/],
  'a repeated tensor': [
    safetensorsOf(`{${one},${member('a', 'F32', '[2]', 8, 16)}}`, 16),
    /repeat a key, received "a"/,
  ],
  'a tensor repeated in escapes': [
    safetensorsOf(`{${one},"\\u0061":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, 16),
    /repeat a key, received "a"/,
  ],
  'repeated metadata': [safetensorsOf('{"__metadata__":{},"__metadata__":{}}'), /repeat a key/],
  'a repeated metadata key': [safetensorsOf('{"__metadata__":{"a":"1","a":"2"}}'), /repeat a key/],
  'a repeated inner key': [
    safetensorsOf('{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
    /repeat a key/,
  ],
  'metadata that is not text': [safetensorsOf('{"__metadata__":{"a":1}}'), /must come next/],
  'metadata that is no object': [safetensorsOf('{"__metadata__":"pt"}'), /must come next/],
  'an unknown dtype': [safetensorsOf(`{${member('a', 'F31', '[2]', 0, 8)}}`, 8), /Did you mean "F32"/],
  'a dtype in the wrong case': [safetensorsOf(`{${member('a', 'f32', '[2]', 0, 8)}}`, 8), /dtype of a/],
  'a dtype named as a property of objects': [
    safetensorsOf(`{${member('a', 'toString', '[2]', 0, 8)}}`, 8),
    /dtype of a/,
  ],
  'a dtype that is no text': [
    safetensorsOf('{"a":{"dtype":32,"shape":[2],"data_offsets":[0,8]}}', 8),
    /must come next/,
  ],
  'a missing dtype': [safetensorsOf('{"a":{"shape":[2],"data_offsets":[0,8]}}', 8), /must have dtype, shape/],
  'a missing shape': [safetensorsOf('{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4), /must have dtype, shape/],
  'missing offsets': [safetensorsOf('{"a":{"dtype":"F32","shape":[2]}}', 8), /must have dtype, shape/],
  'an extra inner key': [
    safetensorsOf('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"extra":1}}', 8),
    /shape and data_offsets only, received "extra"/,
  ],
  'a null tensor': [safetensorsOf('{"a":null}'), /must come next/],
  'one offset': [safetensorsOf('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}', 8), /two data_offsets/],
  'three offsets': [
    safetensorsOf('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}', 8),
    /more than 2 numbers/,
  ],
  'an end before the beginning': [safetensorsOf(`{${member('a', 'F32', '[2]', 8, 0)}}`, 8), /must begin/],
  'an end before the beginning, after another': [
    safetensorsOf(`{${one},${member('b', 'F32', '[2]', 8, 0)}}`, 8),
    /must have 8 bytes, received -8/,
  ],
  'an offset past the file': [safetensorsOf(`{${member('a', 'F32', '[4]', 0, 16)}}`, 8), /end where the file ends/],
  'an offset that would round': [
    safetensorsOf(`{${member('a', 'U8', '[1]', 0, '9007199254740993')}}`, 1),
    /below 2\^53/,
  ],
  'all tensors on the same bytes': [
    safetensorsOf(`{${['a', 'b', 'c'].map((name) => member(name, 'F32', '[2]', 0, 8)).join(',')}}`, 8),
    /tensor . must begin where the one before it ends \(8\), received 0/,
  ],
  'tensors that overlap': [safetensorsOf(`{${one},${member('b', 'F32', '[2]', 4, 12)}}`, 12), /must begin/],
  'a hole at the start': [safetensorsOf(`{${member('a', 'F32', '[2]', 4, 12)}}`, 12), /must begin/],
  'a hole between': [safetensorsOf(`{${one},${member('b', 'F32', '[2]', 12, 20)}}`, 20), /must begin/],
  'bytes after the last tensor': [safetensorsOf(`{${one}}`, 9), /end where the file ends/],
  'two bytes too few': [safetensorsOf(`{${one}}`, 6), /end where the file ends/],
  'bytes that no tensor has': [safetensorsOf('{}', 1), /end where the file ends/],
  'a size that is not that of the shape': [
    safetensorsOf(`{${member('a', 'F32', '[2]', 0, 9)}}`, 9),
    /must have 8 bytes/,
  ],
  'a dtype of half bytes that fills none': [safetensorsOf(`{${member('a', 'F4', '[3]', 0, 2)}}`, 2), /whole bytes/],
  'a dtype of 6 bits that fills none': [safetensorsOf(`{${member('a', 'F6_E2M3', '[2]', 0, 2)}}`, 2), /whole bytes/],
  'more than 64 axes': [safetensorsOf(`{${member('a', 'U8', `[${Array(65).fill(1)}]`, 0, 1)}}`, 1), /more than 64/],
  'a shape that is no array': [safetensorsOf(`{${member('a', 'U8', '1', 0, 1)}}`, 1), /must come next/],
  'a bomb of brackets': [safetensorsOf(`{"a":${'['.repeat(5_000_000)}}`), /must come next/],
  'a bomb of brackets in a shape': [
    safetensorsOf(`{${member('a', 'U8', '['.repeat(5_000_000), 0, 1)}}`),
    /digits only/,
  ],
  'a bomb of blanks': [safetensorsOf(' '.repeat(5_000_000)), /must come next/],
  'a bomb of digits': [safetensorsOf(`{${member('a', 'U8', `[${'9'.repeat(5_000_000)}]`, 0, 1)}}`, 1), /below 2\^53/],
};

for (const size of ['-1', '1.5', '1e3', '-0', '01', '+1', '0x1', 'NaN', '"2"', '[2]', 'null', '2.0', '']) {
  malformed[`a size of ${size || 'nothing'}`] = [
    safetensorsOf(`{${member('a', 'U8', `[2,${size}]`, 0, 2)}}`, 2),
    /must/,
  ];
}
// As JavaScript numbers these sizes round, and their products seem to be 0 or to fit.
for (const size of ['18446744073709551614', '9223372036854775807', '9007199254740992', '4503599627370497']) {
  const file = safetensorsOf(`{${member('a', 'U8', `[2,${size}]`, 0, 4)}}`, 4);
  malformed[`a shape of 2 x ${size}`] = [file, /below 2\^53|overflow/];
}
for (const name of ['__proto__', 'constructor', 'prototype', 'toString', '', 'a\0b', 'n'.repeat(4097)]) {
  const file = safetensorsOf(`{${member(name, 'U8', '[1]', 0, 1)}}`, 1);
  malformed[`a tensor named ${JSON.stringify(name.slice(0, 20))}`] = [file, /name of a tensor/];
}
for (const text of ['\\ud800', '\\udc00x', '\\x', '\\u12', 'a\nb', '\\']) {
  const file = safetensorsOf(`{"${text}":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1);
  malformed[`a tensor named "${text}" in JSON`] = [file, /JSON/];
}

describe('a malformed header is refused', () => {
  test.each(Object.entries(malformed))('%s', (_what, [bytes, reason]) => {
    expect(refusal(bytes)).toMatch(reason);
  });

  test('more tensors than the limit', () => {
    const rows = Array.from({ length: 250_001 }, (_, i) => member(`t${i}`, 'U8', '[0]', 0, 0));
    expect(refusal(safetensorsOf(`{${rows.join(',')}}`))).toMatch(/more than 250000 tensors/);
  });

  test('a header cut off before its end', () => {
    const file = safetensorsOf(`{${one}}`, 8);
    expect(() => parseHeader(file.subarray(0, 20), file.length)).toThrow(/complete/);
    expect(() => parseHeader(file.subarray(0, 4), file.length)).toThrow(/8 bytes/);
  });
});

describe('a header that the format allows loads', () => {
  test.each([
    ['no tensors', '{}', 0],
    ['blanks around and inside', ` \t\r\n{ "a" : { "dtype":"F32" , "shape" : [ 2 ] ,"data_offsets":[0 , 8]} }  `, 8],
    ['a scalar', `{${member('a', 'F32', '[]', 0, 4)}}`, 4],
    ['an empty tensor', `{${member('a', 'F32', '[0,5]', 0, 0)}}`, 0],
    ['an empty tensor where another begins', `{${one},${member('b', 'F32', '[0]', 0, 0)}}`, 8],
    ['tensors out of order', `{${member('b', 'F32', '[2]', 8, 16)},${one}}`, 16],
    ['half bytes that fill whole ones', `{${member('a', 'F4', '[4]', 0, 2)}}`, 2],
    ['escapes', `{"\\u0061\\n\\ud83d\\ude00":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1],
    ['an empty metadata', `{"__metadata__":{},${one}}`, 8],
  ])('%s', (_what, header, dataLength) => {
    expect(refusal(safetensorsOf(header, dataLength))).toBeUndefined();
  });

  test('names, shapes and positions are as written', () => {
    const header = `{"__metadata__":{"format":"pt"},${member('b', 'F16', '[3,1]', 8, 14)},${one}}`;
    const { metadata, tensors } = parse(safetensorsOf(header, 14));
    const start = 8 + header.length;
    expect([...metadata]).toEqual([['format', 'pt']]);
    expect([...tensors]).toEqual([
      ['a', { dtype: 'F32', shape: [2], byteLength: 8, position: start }],
      ['b', { dtype: 'F16', shape: [3, 1], byteLength: 6, position: start + 8 }],
    ]);
  });

  test('a hundred thousand tensors', () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => member(`layer.${i}`, 'U8', '[1]', i, i + 1));
    expect(parse(safetensorsOf(`{${rows.join(',')}}`, 100_000)).tensors.size).toBe(100_000);
  });

  test('a size just below 2^53 is read exactly', () => {
    expect(refusal(safetensorsOf(`{${member('a', 'U8', '[0,9007199254740991]', 0, 0)}}`))).toBeUndefined();
  });
});

describe('a mutated header', () => {
  const valid = `{"__metadata__":{"format":"pt"},${one},${member('b.weight', 'BF16', '[2,3]', 8, 20)}}`;
  const pieces = [
    '"',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '\\u0061',
    '"a"',
    '0',
    '9007199254740993',
    '-',
    '1e9',
    '__proto__',
    '\0',
  ];
  const mutation = fc.oneof(
    fc.record({ at: fc.nat(valid.length - 1), drop: fc.nat(12), put: fc.constantFrom(...pieces) }),
    fc.record({ at: fc.nat(valid.length - 1), drop: fc.nat(2), put: fc.string({ maxLength: 4 }) }),
  );

  test('loads or gives a format error, never anything else', () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.nat(24), (mutations, dataLength) => {
        let text = valid;
        for (const { at, drop, put } of mutations) text = text.slice(0, at) + put + text.slice(at + drop);
        refusal(safetensorsOf(text, dataLength));
      }),
      { numRuns: 5000 },
    );
  });

  test('with any bytes changed loads or gives a format error', () => {
    const file = safetensorsOf(valid, 20);
    const change = fc.record({ at: fc.nat(file.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), fc.nat(file.length), (changes, length) => {
        const copy = file.slice(0, length % 3 === 0 ? length : file.length);
        for (const { at, byte } of changes) if (at < copy.length) copy[at] = byte;
        refusal(copy);
      }),
      { numRuns: 5000 },
    );
  });

  test('that still loads says the same as JSON.parse', () => {
    fc.assert(
      fc.property(fc.array(mutation, { maxLength: 2 }), (mutations) => {
        let text = valid;
        for (const { at, drop, put } of mutations) text = text.slice(0, at) + put + text.slice(at + drop);
        const bytes = safetensorsOf(text, 20);
        if (refusal(bytes) !== undefined) return;
        const { __metadata__, ...expected } = JSON.parse(text);
        const found = [...parse(bytes).tensors].map(([name, { dtype, shape }]) => [name, dtype, shape]);
        const wanted = Object.entries<{ dtype: string; shape: number[] }>(expected);
        expect(found.sort()).toEqual(wanted.map(([name, { dtype, shape }]) => [name, dtype, shape]).sort());
      }),
      { numRuns: 2000 },
    );
  });
});
