import type { BigIntStats, Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { asFileSystemError, systemErrorCode, underRule } from '../formats/file-system.js';
import type { TextPiece } from './pieces.js';
import { readable, readJsonLines, readText, type Segment } from './read-text.js';

/** Text in files, read as a stream, so that it may be larger than memory. */
export interface Corpus {
  /** The file or folder that was opened. */
  readonly path: string;
  /** One file of text, a folder of them, or JSON lines. */
  readonly format: 'text' | 'folder' | 'jsonl';
  /** Whether it is made of documents, each followed by the end of text, or is one stretch of text. */
  readonly documents: boolean;
  readonly segments: readonly Segment[];
  /** The size of the segments together, in bytes of the files. */
  readonly bytes: number;
  /** What lies in the folder and is not read: other files, empty ones, subfolders (with a slash); hidden ones apart. */
  readonly leftOut: readonly string[];
  /**
   * The text from the start, line ends as they are. Errors ('data'): bytes that are not UTF-8 text, with their offset;
   * a line of JSON lines that is not `{"text": "..."}`, with its number.
   */
  pieces(): AsyncGenerator<TextPiece>;
}

/**
 * Opens a text: a folder of `.txt` files (each a document, chapter_10 after chapter_9), a `.jsonl` file (each line
 * `{"text": "..."}` a document), or any other file as UTF-8 text. Errors ('data'): nothing there, nothing in it.
 */
export async function openCorpus(path: string): Promise<Corpus> {
  const found = await statOf(path);
  if (found === undefined) {
    throw new SluiceError('data', {
      rule: 'A corpus must be a file or a folder that exists',
      received: path,
      remedy: 'Check the path.',
    });
  }
  if (found.isDirectory()) return openFolder(path);
  if (!found.isFile()) {
    throw new SluiceError('data', {
      rule: 'A corpus must be a file or a folder of .txt files',
      received: path,
      remedy: 'Save the text as a file, and name that.',
    });
  }
  if (found.size === 0n) throw emptyCorpus(path);
  const corpus = corpusOf(path, /\.jsonl$/i.test(path) ? 'jsonl' : 'text', [wholeFile(path, found)]);
  // A file of nothing but a byte order mark or blank lines is empty too; a file that is not text is found here at once.
  for await (const { text } of corpus.pieces()) if (text.length > 0) return corpus;
  throw emptyCorpus(path);
}

async function openFolder(path: string): Promise<Corpus> {
  const entries = await underRule(readable(path), () => readdir(path, { withFileTypes: true }));
  const isText = ({ name }: Dirent): boolean => /\.txt$/i.test(name);
  const names = entries
    .filter(isText)
    .map(({ name }) => name)
    .sort(naturalOrder);
  if (names.length === 0) {
    throw new SluiceError('data', {
      rule: 'A folder used as a corpus must hold .txt files',
      received: path,
      remedy: 'Subfolders are not searched; name one file to use another format.',
    });
  }
  const others = entries.filter((entry) => !isText(entry) && !entry.name.startsWith('.'));
  const corpus = await openFiles(
    path,
    names.map((name) => join(path, name)),
  );
  const leftOut = others.map((entry) => `${entry.name}${entry.isDirectory() ? '/' : ''}`).sort(naturalOrder);
  return { ...corpus, leftOut: [...corpus.leftOut, ...leftOut] };
}

/** A corpus of files in the order given, each a document. Empty files are no documents. */
export async function openFiles(path: string, files: readonly string[]): Promise<Corpus> {
  const segments: Segment[] = [];
  const leftOut: string[] = [];
  for (const file of files) {
    const found = await statOf(file);
    if (found?.isFile() === true && found.size > 0n) segments.push(wholeFile(file, found));
    else leftOut.push(`${basename(file)}${found?.isDirectory() === true ? '/' : ''}`);
  }
  if (segments.length === 0) throw emptyCorpus(path);
  return { ...corpusOf(path, 'folder', segments), leftOut };
}

async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(cause) ?? '')) return undefined;
    throw asFileSystemError(cause, readable(path));
  }
}

const wholeFile = (path: string, found: BigIntStats): Segment => {
  const size = Number(found.size);
  return { path, start: 0, end: size, size, modified: String(found.mtimeNs) };
};

const emptyCorpus = (path: string): SluiceError =>
  new SluiceError('data', {
    rule: 'A corpus must hold some text',
    received: path,
    remedy: 'It is empty: name a file with text in it.',
  });

/** A corpus of stretches of files. */
export function corpusOf(path: string, format: Corpus['format'], segments: readonly Segment[]): Corpus {
  const bytes = segments.reduce((sum, segment) => sum + segment.end - segment.start, 0);
  async function* pieces(): AsyncGenerator<TextPiece> {
    for (const segment of segments) {
      if (format === 'jsonl') yield* readJsonLines(segment);
      else yield* readText(segment, format === 'folder');
    }
  }
  return { path, format, documents: format !== 'text', segments, bytes, leftOut: [], pieces };
}

/** Names in the order a reader expects: runs of digits by their value. */
export function naturalOrder(a: string, b: string): number {
  const [left, right] = [a.split(/(\d+)/), b.split(/(\d+)/)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x, y] = [left[i] ?? '', right[i] ?? ''];
    const value = (digits: string): string => (i % 2 === 1 ? digits.replace(/^0+(?=\d)/, '') : digits);
    const [p, q] = [value(x), value(y)];
    if (i % 2 === 1 && p.length !== q.length) return p.length - q.length;
    if (p !== q) return p < q ? -1 : 1;
  }
  return left.length - right.length || (a < b ? -1 : a > b ? 1 : 0);
}
