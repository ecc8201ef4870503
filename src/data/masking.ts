/** Hiding tokens of a text, for a model to say them again. Source: Devlin 2018, arXiv:1810.04805, section 3.1. */
import { type RandomKey, randomInteger, randomUniform } from '../base/random.js';
import { ignoreIndex } from './batches.js';
import type { Marks } from './marks.js';
import type { TokenSource } from './token-source.js';
import type { Tokenizer } from './tokenizer.js';

/** What hiding needs to know of a tokenizer. */
export interface MaskVocabulary {
  readonly size: number;
  readonly marks: Marks & { readonly mask: number };
  readonly endOfText: number | undefined;
  /** Of each token, whether it begins, and whether it ends, inside a word. */
  readonly beginsInWord: Uint8Array;
  readonly endsInWord: Uint8Array;
}

const wordCharacter = /[\p{L}\p{N}\ufffd]/u;

export function maskVocabulary(tokenizer: Tokenizer, marks: Marks & { readonly mask: number }): MaskVocabulary {
  const size = tokenizer.vocabularySize;
  const [beginsInWord, endsInWord] = [new Uint8Array(size), new Uint8Array(size)];
  for (let id = 0; id < size; id++) {
    if (tokenizer.tokenByteLength(id) === 0) continue;
    const text = [...tokenizer.decode([id]).replace(/^##/, '')];
    beginsInWord[id] = wordCharacter.test(text[0] ?? '') ? 1 : 0;
    endsInWord[id] = wordCharacter.test(text.at(-1) ?? '') ? 1 : 0;
  }
  return { size, marks, endOfText: tokenizer.endOfText, beginsInWord, endsInWord };
}

/** Texts with their marks, row by row, and where each text of a row begins and ends. */
export interface MarkedRows {
  readonly batch: number;
  readonly time: number;
  /** [batch, time] */
  readonly tokens: Int32Array;
  /** [batch, time, 2], as an encoder takes it; where rows hold one text each there is none. */
  readonly spans: Int32Array | undefined;
}

/** What an encoder is to say: hidden tokens at some places. */
export interface MaskedRows extends MarkedRows {
  /** Places in [batch * time] whose tokens are to be said, 0 behind the last one: whole dozens, so that sizes recur. */
  readonly places: Int32Array;
  /** What stood there; `ignoreIndex` behind the last one. */
  readonly targets: Int32Array;
  /** How many there are. */
  readonly chosen: number;
}

/**
 * Windows of a text between marks. Documents that a window holds together are packed: a token sees its own alone.
 * @param windows of one length each.
 */
export function markRows(windows: readonly ArrayLike<number>[], { marks, endOfText }: MaskVocabulary): MarkedRows {
  const [batch, time] = [windows.length, (windows[0]?.length ?? 0) + 2];
  const tokens = new Int32Array(batch * time);
  const spans = new Int32Array(2 * batch * time);
  let isPacked = false;
  windows.forEach((window, row) => {
    const own = tokens.subarray(row * time, (row + 1) * time);
    own.set(window, 1);
    [own[0], own[time - 1]] = [marks.start, marks.end];
    let begin = 0;
    for (let t = 0; t < time; t++) {
      // What stands behind the last end of a document is not a text of its own if it is the closing mark alone.
      const isEnd = t === time - 1 || (own[t] === endOfText && t < time - 2);
      if (!isEnd) continue;
      for (let i = begin; i <= t; i++) spans.set([begin, t + 1], 2 * (row * time + i));
      isPacked ||= t < time - 1;
      begin = t + 1;
    }
  });
  return { batch, time, tokens, spans: isPacked ? spans : undefined };
}

export interface MaskOptions {
  /** Of tokens, or of words, that are chosen. */
  readonly share: number;
  /** Words are chosen whole. */
  readonly wholeWords: boolean;
  readonly key: RandomKey;
}

/** The targets of so many are made a multiple of this. */
const roundTo = 64;

/**
 * Chooses tokens, of which 80 % are hidden, 10 % become another token and 10 % stay as they are. The choice depends on
 * the key alone.
 */
export function maskRows(rows: MarkedRows, vocabulary: MaskVocabulary, options: MaskOptions): MaskedRows {
  const { share, wholeWords, key } = options;
  const { marks, size } = vocabulary;
  const specials = new Set([marks.start, marks.end, marks.mask, vocabulary.endOfText]);
  const isText = (place: number): boolean => !specials.has(rows.tokens[place] ?? marks.mask);
  const chosen: number[] = [];
  let [first, isChosen] = [-1, false];
  for (let place = 0; place < rows.tokens.length; place++) {
    if (!isText(place)) continue;
    const goesOn =
      wholeWords && first >= 0 && isText(place - 1) && place % rows.time > 0 && joins(rows, vocabulary, place);
    if (!goesOn) isChosen = randomUniform(key, 3 * place) < share;
    first = place;
    if (isChosen) chosen.push(place);
  }
  // Of a text too short for its share one token is.
  if (chosen.length === 0 && first >= 0) chosen.push(first);
  const tokens = rows.tokens.slice();
  for (const place of chosen) {
    const draw = randomUniform(key, 3 * place + 1);
    const other = randomInteger(key, 3 * place + 2, size);
    if (draw < 0.8) tokens[place] = marks.mask;
    else if (draw < 0.9 && !specials.has(other)) tokens[place] = other;
  }
  const length = Math.ceil(chosen.length / roundTo) * roundTo;
  const places = Int32Array.from({ length }, (_, i) => chosen[i] ?? 0);
  const targets = Int32Array.from({ length }, (_, i) =>
    i < chosen.length ? (rows.tokens[chosen[i] ?? 0] ?? 0) : ignoreIndex,
  );
  return { ...rows, tokens, places, targets, chosen: chosen.length };
}

const joins = ({ tokens }: MarkedRows, { endsInWord, beginsInWord }: MaskVocabulary, place: number): boolean =>
  endsInWord[tokens[place - 1] ?? 0] === 1 && beginsInWord[tokens[place] ?? 0] === 1;

/** Windows of a text side by side, `batch` at a time; the last one ends with the text, and may begin in the one before. */
export async function* windowBatches(
  source: TokenSource,
  {
    batch,
    length,
    maximumTokens = source.length,
  }: { readonly batch: number; readonly length: number; readonly maximumTokens?: number | undefined },
): AsyncGenerator<{ readonly first: number; readonly windows: ArrayLike<number>[] }> {
  const size = Math.min(length, source.length);
  const count = Math.max(1, Math.ceil(Math.min(source.length, maximumTokens) / size));
  for (let first = 0; first < count; first += batch) {
    const windows = await Promise.all(
      Array.from({ length: Math.min(batch, count - first) }, (_, i) =>
        source.read(Math.min((first + i) * size, source.length - size), size),
      ),
    );
    yield { first, windows };
  }
}
