const convert = (encoding: string): string =>
  `convert it by iconv -f ${encoding} -t UTF-8 old.txt > new.txt, and train on that.`;

const shareOf = (bytes: Uint8Array, fits: (byte: number, index: number) => boolean): number =>
  bytes.reduce((sum, byte, i) => sum + (fits(byte, i) ? 1 : 0), 0) / bytes.length;

/** Control characters that no text has. */
const isControl = (byte: number): boolean => (byte < 0x20 && !(byte >= 0x08 && byte <= 0x0d)) || byte === 0x7f;

/** The byte order of UTF-16, by its mark or by zero bytes that all stand on one side. */
function utf16(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'UTF-16';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'UTF-16';
  const even = shareOf(bytes, (byte, i) => byte === 0 && i % 2 === 0);
  const odd = shareOf(bytes, (byte, i) => byte === 0 && i % 2 === 1);
  if (Math.max(even, odd) < 0.2 || Math.min(even, odd) > 0.02) return undefined;
  const others = bytes.filter((byte) => byte !== 0);
  if (shareOf(others, isControl) > 0.02) return undefined;
  return odd > even ? 'UTF-16LE' : 'UTF-16BE';
}

/**
 * What to do about bytes that are not UTF-8 text: UTF-16, Latin-1 and its like, UTF-8 with a flaw and what is no text at
 * all are told apart.
 * @param flaw the index of the first byte that is wrong
 */
export function encodingRemedy(bytes: Uint8Array, flaw: number): string {
  const wide = utf16(bytes);
  if (wide !== undefined) return `It looks like UTF-16: ${convert(wide)}`;
  if (shareOf(bytes, isControl) > 0.02) return 'It does not look like text: name a text file.';
  if (bytes[flaw] === 0) return "It has a NUL byte in it: take it out by tr -d '\\000' < old.txt > new.txt.";
  if (bytes.subarray(0, flaw).some((byte) => byte >= 0x80)) {
    return 'It is UTF-8 up to there, and damaged: iconv -c -f UTF-8 -t UTF-8 old.txt > new.txt leaves such bytes out.';
  }
  if (shareOf(bytes, (byte) => byte >= 0x80) < 0.3) return `It looks like Latin-1: ${convert('LATIN1')}`;
  return `It looks like text in another encoding: ${convert('ITS-ENCODING')}`;
}
