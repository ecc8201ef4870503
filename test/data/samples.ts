import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll } from 'vitest';
import type { TextPiece } from '../../src/data/pieces.js';

/** Texts that tokenizers have stumbled over. */
export const trickyTexts: readonly string[] = [
  '',
  ' ',
  'a',
  'Call me Ishmael. Some years ago—never mind how long precisely',
  "I'll they'RE it's 'tis don't said , it is n't",
  'tabs\tand\nnewlines\r\nand\r returns\n\n\n  indented  \n',
  '滾滾長江東逝水，浪花淘盡英雄。是非成敗轉頭空',
  '👩‍👩‍👧‍👦 🇩🇪 👍🏽 🏳️‍🌈',
  'e\u0301 a\u0308\u0323 हिन्दी ภาษาไทย',
  '\ufeffmark inside \ufeff too',
  '1234567890 ١٢٣ ½ 3.14',
  '\u0085\u00a0\u2028\u3000x',
  'before<|endoftext|>after <|endoftext|><|endoftext|>',
  '<|endof <|endoftext| >',
  '__proto__ constructor toString',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  '\u0000\u0001\u001f\u007f',
];

const bits = [
  ...[
    'the',
    'whale',
    "'s",
    "'LL",
    ' ',
    '  ',
    '\n',
    '\r\n',
    '\t',
    '7',
    '42',
    '.',
    '...',
    '—',
    '长江',
    '，',
    'é',
    'e\u0301',
  ],
  ...['🐳', '👩‍👧', '\ufeff', '\u0085', '<|endoftext|>', '<|endof', 'text|>', '_', '<', 'हि'],
];

/** Well-formed texts, rich in the places where words begin and end. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.array(fc.constantFrom(...bits), { maxLength: 40 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
);

/** A text cut at arbitrary places between characters. */
export function cutText(text: string, sizes: readonly number[], endsDocument = false): TextPiece[] {
  const characters = [...text];
  const pieces: TextPiece[] = [];
  for (let i = 0; characters.length > 0; i++) {
    pieces.push({ text: characters.splice(0, sizes[i % sizes.length] ?? 1).join(''), endsDocument: false });
  }
  if (endsDocument) pieces.push({ text: '', endsDocument });
  return pieces;
}

export async function collect<T>(items: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A folder that is gone after the tests of a file, with a writer into it. */
export function temporaryFolder(): { path: (name: string) => Promise<string>; write: Writer } {
  const made = mkdtemp(join(tmpdir(), 'sluice-data-'));
  afterAll(async () => rm(await made, { recursive: true, force: true }));
  const path = async (name: string): Promise<string> => join(await made, name);
  return {
    path,
    write: async (name, content) => {
      await writeFile(await path(name), content);
      return path(name);
    },
  };
}

type Writer = (name: string, content: string | Uint8Array) => Promise<string>;

/** The error that a promise ends with. */
export async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}
