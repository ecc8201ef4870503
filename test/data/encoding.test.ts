import { describe, expect, test } from 'vitest';
import { encodingRemedy } from '../../src/data/encoding.js';
import { invalidUtf8At } from '../../src/data/utf8.js';

const prose = 'Le café était fermé, déjà.\r\n\tCall me Ishmael.\n'.repeat(20);
const utf16be = Buffer.from(prose, 'utf16le').swap16();
const noise = Uint8Array.from({ length: 4000 }, (_, i) => (i * 2654435761) >>> 13);
const cyrillic = Buffer.from(prose.replaceAll(/[a-z]/g, '\u00d6'), 'latin1');

describe('bytes that are not UTF-8', () => {
  test.each<[string, Uint8Array, RegExp]>([
    ['UTF-16 with its mark', Buffer.from(`\ufeff${prose}`, 'utf16le'), /UTF-16: .*iconv -f UTF-16 -t UTF-8/],
    ['UTF-16 without it', Buffer.from(prose, 'utf16le'), /UTF-16: .*iconv -f UTF-16LE -t UTF-8/],
    ['UTF-16 of the other order', utf16be, /UTF-16: .*iconv -f UTF-16BE -t UTF-8/],
    ['Latin-1', Buffer.from(prose, 'latin1'), /Latin-1: .*iconv -f LATIN1 -t UTF-8/],
    ['another encoding of one byte', cyrillic, /another encoding: .*iconv -f ITS-ENCODING/],
    ['UTF-8 with a bad byte', Buffer.concat([Buffer.from(prose), Buffer.from([0xff, 0x61])]), /iconv -c -f UTF-8/],
    ['a text with a NUL', Buffer.from(`${prose}\0${prose}`), /NUL byte .*tr -d/],
    ['noise', noise, /does not look like text/],
    ['a picture', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13), /does not look like text/],
    ['numbers of 32 bits', new Uint8Array(Uint32Array.from({ length: 99 }, (_, i) => i).buffer), /not look like text/],
  ])('are told apart: %s', (_, bytes, message) => {
    const [zero, invalid] = [bytes.indexOf(0), invalidUtf8At(bytes)];
    expect(encodingRemedy(bytes, invalid < 0 ? zero : invalid)).toMatch(message);
  });
});
