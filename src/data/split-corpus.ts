import { readFully } from '../formats/durable.js';
import { openForReading, type Segment } from './read-text.js';
import { cutNear, defaultFraction, splitTarget, tooShortToSplit } from './split.js';
import { type Corpus, corpusOf } from './text.js';

/**
 * Splits a corpus in two stretches without reading it: the last `fraction` of its bytes is validation. The cut is moved
 * to the end of a document, a paragraph or a line near by, else to the end of a character. Errors ('data'): too short.
 */
export async function splitCorpus(
  corpus: Corpus,
  fraction = defaultFraction,
): Promise<{ training: Corpus; validation: Corpus }> {
  const { target, near } = splitTarget(corpus.bytes, fraction);
  const cut = documentCut(corpus, target, near) ?? (await cutInside(corpus, target, near));
  if (cut === undefined || cut <= 0 || cut >= corpus.bytes) throw tooShortToSplit(corpus.bytes);
  const { path, format } = corpus;
  return {
    training: corpusOf(path, format, stretch(corpus, 0, cut)),
    validation: corpusOf(path, format, stretch(corpus, cut, corpus.bytes)),
  };
}

/** The nearest end of a file within reach. */
function documentCut(corpus: Corpus, target: number, near: number): number | undefined {
  let best: number | undefined;
  let offset = 0;
  for (const { start, end } of corpus.segments.slice(0, -1)) {
    offset += end - start;
    const distance = Math.abs(offset - target);
    if (distance <= near && (best === undefined || distance < Math.abs(best - target))) best = offset;
  }
  return best;
}

/** A cut inside the file that holds the target, as an offset in the corpus. */
async function cutInside(corpus: Corpus, target: number, near: number): Promise<number | undefined> {
  let before = 0;
  let segment: Segment | undefined;
  for (segment of corpus.segments) {
    if (target < before + segment.end - segment.start) break;
    before += segment.end - segment.start;
  }
  if (segment === undefined) return undefined;
  const at = segment.start + target - before;
  const cut = corpus.format === 'jsonl' ? await lineCut(segment, at) : await textCut(segment, at, near);
  return cut === undefined ? undefined : before + cut - segment.start;
}

async function readRange(segment: Segment, start: number, end: number): Promise<Uint8Array> {
  const file = await openForReading(segment.path);
  try {
    const bytes = new Uint8Array(Math.max(0, end - start));
    return bytes.subarray(0, await readFully(file, bytes, start));
  } finally {
    await file.close();
  }
}

async function textCut(segment: Segment, at: number, near: number): Promise<number | undefined> {
  // A few bytes more on either side show whole characters and line ends.
  const from = Math.max(segment.start, at - near - 8);
  const bytes = await readRange(segment, from, Math.min(segment.end, at + near + 8));
  const cut = cutNear(bytes, at - from, near);
  return cut === undefined ? undefined : from + cut;
}

/** The start of the next line, else of the line that holds the place. */
async function lineCut(segment: Segment, at: number): Promise<number | undefined> {
  const step = 65_536;
  for (let from = at; from < segment.end; from += step) {
    const found = (await readRange(segment, from, Math.min(segment.end, from + step))).indexOf(0x0a);
    if (found >= 0 && from + found + 1 < segment.end) return from + found + 1;
    if (found >= 0) break;
  }
  for (let to = at; to > segment.start; to -= step) {
    const from = Math.max(segment.start, to - step);
    const found = (await readRange(segment, from, to)).lastIndexOf(0x0a);
    if (found >= 0) return from + found + 1;
  }
  return undefined;
}

/** The part of a corpus between two offsets. */
function stretch(corpus: Corpus, from: number, to: number): Segment[] {
  const parts: Segment[] = [];
  let offset = 0;
  for (const segment of corpus.segments) {
    const start = segment.start + Math.max(0, from - offset);
    const end = Math.min(segment.end, segment.start + to - offset);
    if (start < end) parts.push({ ...segment, start, end });
    offset += segment.end - segment.start;
  }
  return parts;
}
