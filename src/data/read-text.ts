import { SluiceError } from '../base/errors.js';
import { readFully } from '../formats/durable.js';
import { nodeFileSystem, type OpenFile, openRegularFile, underRule } from '../formats/file-system.js';
import { encodingRemedy } from './encoding.js';
import { field, type Json } from './json.js';
import { slices, type TextPiece } from './pieces.js';
import { completeUtf8, invalidUtf8At } from './utf8.js';

/** A stretch of a file, in bytes; size and time of change tell whether the file is still the same. */
export interface Segment {
  readonly path: string;
  readonly start: number;
  readonly end: number;
  readonly size: number;
  /** Nanoseconds since 1970, as text: a number would lose digits. */
  readonly modified: string;
}

const chunkSize = 65_536;
const newline = 0x0a;

/** Opens a file for reading. Errors: 'filesystem', 'format' (no regular file). */
export const openForReading = (path: string): Promise<OpenFile> =>
  underRule(readable(path), () => openRegularFile(nodeFileSystem, path));

/** The rule that a path which the system refuses to read breaks. */
export const readable = (path: string): string => `${path} must be readable`;

const changed = (path: string, received: string): SluiceError =>
  new SluiceError('data', { rule: `${path} must not change while it is read`, received, remedy: 'Start again.' });

interface Chunk {
  readonly bytes: Uint8Array;
  /** Where in the file its first byte is. */
  readonly offset: number;
}

/** The bytes of a segment; a byte order mark at the start of the file is left out. */
async function* readChunks(segment: Segment): AsyncGenerator<Chunk> {
  const file = await openForReading(segment.path);
  try {
    for (let offset = segment.start; offset < segment.end; ) {
      const bytes = new Uint8Array(Math.min(chunkSize, segment.end - offset));
      if ((await readFully(file, bytes, offset)) < bytes.length) {
        throw changed(segment.path, 'a shorter file');
      }
      const mark = offset === 0 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
      yield { bytes: bytes.subarray(mark), offset: offset + mark };
      offset += bytes.length;
    }
  } finally {
    await file.close();
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Strict decoding. Errors ('data'): a NUL byte or a byte that is not UTF-8, with its offset in the file. */
function decode(path: string, bytes: Uint8Array, offset: number): string {
  const zero = bytes.indexOf(0);
  try {
    const text = decoder.decode(bytes);
    if (zero < 0) return text;
  } catch {
    // The place is found below; the decoder does not tell it.
  }
  const invalid = invalidUtf8At(bytes);
  const at = zero >= 0 && (invalid < 0 || zero < invalid) ? zero : invalid;
  const byte = (bytes[at] ?? 0).toString(16).toUpperCase().padStart(2, '0');
  throw new SluiceError('data', {
    rule: `${path} must be UTF-8 text`,
    received: at === zero ? `a NUL byte at offset ${offset + at}` : `byte 0x${byte} at offset ${offset + at}`,
    remedy: encodingRemedy(bytes, at),
  });
}

/** The text of a segment in bounded pieces, each ending between characters. */
export async function* readText(segment: Segment, document: boolean): AsyncGenerator<TextPiece> {
  let carried: Uint8Array = new Uint8Array(0);
  for await (const { bytes, offset } of readChunks(segment)) {
    const all = carried.length === 0 ? bytes : Buffer.concat([carried, bytes]);
    const last = offset + bytes.length >= segment.end;
    const whole = last ? all.length : completeUtf8(all);
    const text = decode(segment.path, all.subarray(0, whole), offset - carried.length);
    carried = all.subarray(whole);
    yield { text, endsDocument: document && last && segment.end === segment.size };
  }
}

/** A line of a file, without its end. */
interface Line {
  readonly bytes: Uint8Array;
  /** Where in the file its first byte is. */
  readonly offset: number;
}

async function* readLines(segment: Segment): AsyncGenerator<Line> {
  let parts: Uint8Array[] = [];
  let start = segment.start;
  for await (const { bytes, offset } of readChunks(segment)) {
    let from = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, from)) {
      yield { bytes: joined([...parts, bytes.subarray(from, end)]), offset: start };
      parts = [];
      from = end + 1;
      start = offset + from;
    }
    if (parts.length === 0) start = offset + from;
    parts.push(bytes.subarray(from));
  }
  yield { bytes: joined(parts), offset: start };
}

const joined = (parts: readonly Uint8Array[]): Uint8Array =>
  parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);

/** The documents of a JSON lines file, each `{"text": "..."}`. Blank lines and empty texts are passed over. */
export async function* readJsonLines(segment: Segment): AsyncGenerator<TextPiece> {
  for await (const { bytes, offset } of readLines(segment)) {
    const { text, flaw } = readLine(decode(segment.path, bytes, offset));
    if (flaw !== undefined) throw await badLines(segment);
    yield* slices(text, true);
  }
}

interface Reading {
  readonly text: string;
  /** What must hold of the line and does not, and what to do. */
  readonly flaw?: { readonly rule: string; readonly remedy: string };
}

function readLine(line: string): Reading {
  if (line.trim() === '') return { text: '' };
  let parsed: Json | undefined;
  let remedy = 'Each line must be like {"text": "..."}.';
  try {
    parsed = JSON.parse(line) as Json;
  } catch (cause) {
    remedy = `JSON says: ${cause instanceof Error ? cause.message : String(cause)}.`;
  }
  const text = field(parsed, 'text');
  if (typeof text !== 'string') return { text: '', flaw: { rule: 'be a JSON object with a string "text"', remedy } };
  return /\p{Surrogate}/u.test(text) ? { text: '', flaw: { rule: 'hold well-formed Unicode', remedy } } : { text };
}

/** The error of a file with bad lines: the first of them, how many there are, and where the first three stand. */
async function badLines({ path, size, modified }: Segment): Promise<SluiceError> {
  const numbers: number[] = [];
  let [number, count] = [0, 0];
  let first: { rule: string; received: string; remedy: string } | undefined;
  for await (const { bytes, offset } of readLines({ path, start: 0, end: size, size, modified })) {
    number++;
    const line = decode(path, bytes, offset);
    const { flaw } = readLine(line);
    if (flaw === undefined) continue;
    if (++count <= 3) numbers.push(number);
    first ??= {
      rule: `Line ${number} of ${path} must ${flaw.rule}`,
      received: line.trimEnd(),
      remedy: flaw.remedy,
    };
  }
  if (first === undefined) return changed(path, 'other lines');
  const all = `In all ${count} lines are bad: ${numbers.join(', ')}${count > 3 ? ', ...' : ''}.`;
  return new SluiceError('data', { ...first, remedy: count === 1 ? first.remedy : `${first.remedy} ${all}` });
}
