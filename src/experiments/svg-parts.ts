/** What pictures of inspections are drawn with. */
import { escapeXml } from './svg.js';

/** The height of a row. */
export const row = 17;
/** That of the gradients through time, their title and foot included. */
export const stepsHeight = 190;

export const text = (x: number, y: number, content: string, anchor = 'start', style = ''): string =>
  `<text x="${round(x)}" y="${round(y)}"${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}${style === '' ? '' : ` ${style}`}>${escapeXml(content)}</text>`;
export const rect = (x: number, y: number, width: number, height: number, fill: string): string =>
  `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${fill}"/>`;
export const round = (value: number): string => String(Math.round(10 * value) / 10);

/** From powers of ten to shares of a length. */
export interface LogScale {
  readonly low: number;
  readonly high: number;
  of(value: number): number;
}

export function logScale(values: readonly number[]): LogScale {
  const logs = values.filter((value) => value > 0 && Number.isFinite(value)).map(Math.log10);
  // The smallest bar has a length, too.
  const [low, high] = logs.length === 0 ? [-1, 0] : [Math.floor(Math.min(...logs)) - 0.5, Math.ceil(Math.max(...logs))];
  return { low, high, of: (value) => (value > 0 ? (Math.log10(value) - low) / (high - low) : 0) };
}

/** About four powers of ten in a scale. */
export function powersIn({ low, high }: LogScale): number[] {
  const every = Math.max(1, Math.ceil((high - low) / 4));
  const first = Math.ceil(low);
  return Array.from({ length: Math.floor((high - first) / every) + 1 }, (_, i) => first + i * every);
}
