import { requireId, type StreamDecoder } from './tokenizer.js';

/** The printable character that stands for each byte in a byte-level `tokenizer.json` (GPT-2's table). */
export const byteCharacters: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const printable = (b: number): boolean => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  if (printable(byte)) return String.fromCharCode(byte);
  let others = 0;
  for (let b = 0; b < byte; b++) if (!printable(b)) others++;
  return String.fromCharCode(256 + others);
});

/** Bytes as the characters of a byte-level `tokenizer.json`. */
export const bytesToToken = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byteCharacters[byte] ?? '').join('');

// Without ignoreBOM a decoder eats a U+FEFF at the start, and the round trip breaks.
const newDecoder = (): TextDecoder => new TextDecoder('utf-8', { ignoreBOM: true });

/** Tokens that stand for bytes, the last one special: decoding, streaming and counting, shared by byte and BPE. */
export class ByteVocabulary {
  readonly size: number;
  readonly #tokens: readonly Uint8Array[];

  constructor(tokens: readonly Uint8Array[], special: string) {
    this.#tokens = [...tokens, new TextEncoder().encode(special)];
    this.size = this.#tokens.length;
  }

  bytes(id: number): Uint8Array {
    requireId(id, this.size);
    return this.#tokens[id] ?? new Uint8Array(0);
  }

  /** The bytes of ordinary tokens; 0 for the special one. */
  byteLength(id: number): number {
    return id === this.size - 1 ? 0 : this.bytes(id).length;
  }

  decode(ids: ArrayLike<number>): string {
    let length = 0;
    for (let i = 0; i < ids.length; i++) length += this.bytes(ids[i] ?? -1).length;
    const all = new Uint8Array(length);
    let offset = 0;
    for (let i = 0; i < ids.length; i++) {
      const bytes = this.bytes(ids[i] ?? -1);
      all.set(bytes, offset);
      offset += bytes.length;
    }
    return newDecoder().decode(all);
  }

  streamDecoder(): StreamDecoder {
    let decoder = newDecoder();
    return {
      push: (id) => decoder.decode(this.bytes(id), { stream: true }),
      flush: () => {
        const rest = decoder.decode();
        decoder = newDecoder();
        return rest;
      },
    };
  }
}
