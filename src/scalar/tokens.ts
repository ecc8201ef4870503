import { SluiceError } from '../base/errors.js';

/** A part of a text, with its place. */
export type Token = { readonly kind: 'number' | 'name' | 'symbol' | 'end'; readonly text: string; readonly at: number };

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /\s*(?:((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([A-Za-z_][A-Za-z_0-9]*)|(<=|>=|\*\*|[-+*/^(),<>]))/y;
  let at = 0;
  while (at < text.trimEnd().length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) {
      const start = at + text.slice(at).search(/\S/);
      throw unexpected(text, { kind: 'symbol', text: [...text.slice(start, start + 2)][0] ?? '', at: start });
    }
    if (tokens.length === longest) throw tooLong(text);
    const [whole, number, name, symbol] = match;
    const kind = number !== undefined ? 'number' : name !== undefined ? 'name' : 'symbol';
    const body = number ?? name ?? symbol ?? '';
    tokens.push({ kind, text: body === '**' ? '^' : body, at: at + whole.length - body.length });
    at = pattern.lastIndex;
  }
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

export function unexpected(text: string, token: Token): SluiceError {
  const what = token.kind === 'end' ? 'the end of the text' : JSON.stringify(token.text);
  return new SluiceError('expression', {
    rule: `an expression is made of numbers, variables, + - * / ^ and functions; position ${token.at + 1} has ${what}`,
    received: text,
    remedy: 'For example: x * tanh(softplus(x)), or where(x > 0, x, 0.1 * x).',
  });
}

/** Repeated powers would overflow the memory before they mean anything. */
export const longest = 4000;

export const tooLong = (text: string): SluiceError =>
  new SluiceError('expression', {
    rule: `an expression has at most ${longest} parts, powers written out`,
    received: text,
    remedy: 'Shorten it, or write it as several expressions.',
  });
