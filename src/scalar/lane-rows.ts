import { shift64 } from './expansions.js';
import { shift32, shiftDown32 } from './expansions32.js';
import { call } from './notation.js';
import type { Row } from './row.js';
import * as special from './special.js';

/** Half of the second operand, as an integer. */
const half = [1, { float: 0.5 }, 'mul', 'floor'] as const;

/** The bits of a number, for the expansions alone; they have no derivative. */
export const laneRows = {
  /** x 2^n for `shifted` = n + shift64 with integral n, the power and the result normal. */
  scale: {
    evaluate: (x = 0, shifted = 0) => x * 2 ** (shifted - shift64),
    derivative: () => [0, 0],
    notation: call('scale', '\\operatorname{scale}'),
    written: 'lanes',
    lanes: { steps: [0, 1, { shift: 52 }, 'i64x2.shl', 'mul'], c: (call, x, n) => `${x} * ${call('power2', n)}` },
    cost: 'operation',
  },
  /** As `scale`, in float32. */
  scale32: {
    evaluate: (x = 0, shifted = 0) => x * 2 ** (shifted - shift32),
    derivative: () => [0, 0],
    notation: call('scale32', '\\operatorname{scale}'),
    written: 'lanes',
    lanes: { steps: [0, 1, { shift: 23 }, 'i32x4.shl', 'mul'], c: (call, x, n) => `${x} * ${call('power2', n)}` },
    cost: 'operation',
  },
  /** x 2^n in float32 for integral n from -250 to 250, by two powers; rounded once. */
  scaleFar32: {
    evaluate: (x = 0, n = 0) => x * 2 ** n,
    derivative: () => [0, 0],
    notation: call('scaleFar32', '\\operatorname{scale}'),
    written: 'lanes',
    lanes: {
      steps: [
        ...[0, ...half, { float: 2 ** 23 + 127 }, 'add', { shift: 23 }, 'i32x4.shl', 'mul'],
        ...[1, ...half, 'sub', { float: 2 ** 23 + 127 }, 'add', { shift: 23 }, 'i32x4.shl', 'mul'],
      ],
      c: (call, x, n) => call('scale', x, n),
    },
    cost: 'operation',
  },
  /** x 2^n in float32 for `shifted` = n + shiftDown32 with integral n from -190 to 63, x about 1; rounded once. */
  scaleDown32: {
    evaluate: (x = 0, shifted = 0) => x * 2 ** (shifted - shiftDown32),
    derivative: () => [0, 0],
    notation: call('scaleDown32', '\\operatorname{scale}'),
    written: 'lanes',
    lanes: {
      steps: [0, 1, { shift: 23 }, 'i32x4.shl', 'mul', { float: 2 ** -64 }, 'mul'],
      c: (call, x, n) => call('scale_down', x, n),
    },
    cost: 'operation',
  },
  /** a / b for a b from 2^-1000 to 2^1015, to 2^-50. */
  ratio: {
    evaluate: (a = 0, b = 0) => a / b,
    derivative: () => [0, 0],
    notation: call('ratio', '\\operatorname{ratio}'),
    written: 'lanes',
    lanes: { steps: [0, 1, 'div'], c: (call, a, b) => call('ratio', a, b) },
    cost: 'operation',
  },
  /** floor(log2(x)) of a positive, normal x. */
  exponent: {
    evaluate: (x = 0) => special.exponent(x),
    derivative: () => [0],
    notation: call('exponent', '\\operatorname{exponent}'),
    written: 'lanes',
    lanes: {
      steps: [
        0,
        { shift: 52 },
        'i64x2.shr_u',
        { bits: 0x4330000000000000n },
        'v128.or',
        { float: 2 ** 52 + 1023 },
        'sub',
      ],
      c: (call, x) => call('exponent', x),
    },
    cost: 'operation',
  },
  /** x / 2^exponent(x), in [1, 2). */
  mantissa: {
    evaluate: (x = 0) => x / 2 ** special.exponent(x),
    derivative: () => [0],
    notation: call('mantissa', '\\operatorname{mantissa}'),
    written: 'lanes',
    lanes: {
      steps: [0, { bits: 0x000fffffffffffffn }, 'v128.and', { bits: 0x3ff0000000000000n }, 'v128.or'],
      c: (call, x) => call('mantissa', x),
    },
    cost: 'operation',
  },
} as const satisfies Record<string, Row>;
