import type { Pair } from '../kernels/windows.js';

/** Vertical and horizontal, or one number for both. */
export type Sizes = number | Pair;

export const pairOf = (sizes: Sizes): Pair => (typeof sizes === 'number' ? [sizes, sizes] : sizes);

/** The options of what runs along a line: single numbers where an image has pairs. */
export type AlongLine<Options> = { readonly [Name in keyof Options]: Exclude<Options[Name], Pair> };
