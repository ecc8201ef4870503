/** A stretch of text, cut between characters. */
export interface TextPiece {
  readonly text: string;
  /** Whether a document ends with this piece; its tokens are then followed by the end-of-text token. */
  readonly endsDocument: boolean;
}

export type TextPieces = AsyncIterable<TextPiece> | Iterable<TextPiece>;

/** The length of a piece, in UTF-16 units. */
export const pieceLength = 65_536;

/** A run without a safe place to cut (a genome, say) is cut here all the same, so that memory stays bounded. */
export const longestRun = 2 ** 20;

/** Cuts a text into pieces, never inside a character; none for the empty text. */
export function* slices(text: string, endsDocument: boolean, length = pieceLength): Generator<TextPiece> {
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + length);
    if (end < text.length && isHighSurrogate(text, end - 1)) end++;
    yield { text: text.slice(start, end), endsDocument: endsDocument && end === text.length };
    start = end;
  }
}

/** The pieces of texts in memory: one text is a stretch that ends no document, a list is one document each. */
export function* piecesOf(texts: string | Iterable<string>, length = pieceLength): Generator<TextPiece> {
  if (typeof texts === 'string') yield* slices(texts, false, length);
  else for (const text of texts) yield* slices(text, true, length);
}

/** Whether the unit at an index is the first half of a surrogate pair. */
export function isHighSurrogate(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  return unit >= 0xd800 && unit <= 0xdbff;
}

/** Where a started but unfinished occurrence of `special` begins at the end of a text, else the text's length. */
export function unfinishedAt(text: string, special: string): number {
  for (let length = Math.min(special.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(special.slice(0, length))) return text.length - length;
  }
  return text.length;
}

/**
 * Gives the same text in pieces that can be tokenized apart: `boundary(text, from)` is the last index at or after
 * `from` where a cut changes no token, whatever follows, or 0 when there is none.
 */
export async function* safePieces(
  pieces: TextPieces,
  boundary: (text: string, from: number) => number,
): AsyncGenerator<TextPiece> {
  let held = '';
  let searched = 0;
  for await (const { text, endsDocument } of pieces) {
    held += text;
    if (endsDocument) {
      yield { text: held, endsDocument };
      held = '';
      searched = 0;
      continue;
    }
    let cut = boundary(held, searched);
    if (cut === 0 && held.length > longestRun) cut = held.length - (isHighSurrogate(held, held.length - 1) ? 1 : 0);
    if (cut > 0) yield { text: held.slice(0, cut), endsDocument };
    held = held.slice(cut);
    // The end of what was searched may become a boundary once more text follows.
    searched = Math.max(0, held.length - 64);
  }
  if (held.length > 0) yield { text: held, endsDocument: false };
}
