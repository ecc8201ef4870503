import { plural } from './plural.js';

/** 1,234,567 as 1.2M. */
export function count(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(1)}G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
  return value >= 1e4 ? `${(value / 1e3).toFixed(0)}k` : String(Math.round(value));
}

/** A number with its noun: 12k tokens. */
export const counted = (value: number, noun: string): string => plural(value, noun, count(value));

/** Seconds, minutes or hours, whichever reads best. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
