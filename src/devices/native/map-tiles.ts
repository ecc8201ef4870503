/** What an operand is called in the C of a map: its elements at `p0`, from `base0` on, `stride0_0`, … apart. */
export interface TiledOperand {
  readonly place: number;
  readonly isOutput: boolean;
  readonly ctype: 'float' | 'int32_t';
}

/** Elements of rows' ends that are computed together: rows may be shorter than the vectors of a turn. */
const tile = 128;

/**
 * The loop of a map over rows whose operands all lie side by side along them: whole turns of vectors where they are, and
 * what is left of each row in a tile with those of the rows after it. `width` is a turn, `scalars` end the call of NAME_run.
 */
export function tiledRows(
  name: string,
  operands: readonly TiledOperand[],
  outer: number,
  width: string,
  scalars: string,
): string[] {
  const inputs = operands.filter(({ isOutput }) => !isOutput);
  const outputs = operands.filter(({ isOutput }) => isOutput);
  const axes = Array.from({ length: outer }, (_, axis) => axis);
  const along = (place: number): string => axes.map((axis) => ` + i${axis} * stride${place}_${axis}`).join('');
  const compute = [
    `${name}_run((filled + ${width} - 1) / ${width} * ${width}${operands.map(({ place }) => `, tile${place}`).join('')}${scalars});`,
    'for (int64_t k = 0, at = 0; k < pieces; at += lengths[k++]) {',
    ...outputs.map(({ place }) => `copy_words(to${place}[k], tile${place} + at, lengths[k]);`),
    '}',
  ];
  return [
    ...operands.map(({ place, ctype }) => `${ctype} tile${place}[${tile}] = {0};`),
    ...outputs.map(({ place, ctype }) => `${ctype} *to${place}[${tile}];`),
    `int64_t lengths[${tile}], filled = 0, pieces = 0;`,
    'int64_t row = begin / length, first = begin - row * length;',
    ...axes
      .toReversed()
      .map((axis) => (axis > 0 ? `int64_t i${axis} = row % size${axis}; row /= size${axis};` : 'int64_t i0 = row;')),
    'while (begin < end) {',
    'const int64_t count = length - first < end - begin ? length - first : end - begin;',
    `const int64_t whole = count - count % ${width}, rest = count - whole;`,
    ...operands.map(({ place, ctype }) => `${ctype} *const p${place} = base${place}${along(place)} + first;`),
    `if (whole > 0) ${name}_run(whole${operands.map(({ place }) => `, p${place}`).join('')}${scalars});`,
    'if (rest > 0) {',
    `if (filled + rest > ${tile}) {`,
    ...compute,
    'filled = pieces = 0;',
    '}',
    ...inputs.map(({ place }) => `copy_words(tile${place} + filled, p${place} + whole, rest);`),
    ...outputs.map(({ place }) => `to${place}[pieces] = p${place} + whole;`),
    'lengths[pieces++] = rest;',
    'filled += rest;',
    '}',
    'begin += count;',
    'first = 0;',
    ...axes
      .slice(1)
      .toReversed()
      .map((axis) => `if (++i${axis} == size${axis}) { i${axis} = 0;`),
    'i0++;',
    ...axes.slice(1).map(() => '}'),
    '}',
    ...compute,
  ];
}

/** Copies numbers of four bytes, few at a time. */
export const copyWords = `
#ifndef COPY_WORDS
#define COPY_WORDS
static inline void copy_words(void *to, const void *from, int64_t count) {
typedef int32_t word __attribute__((may_alias));
typedef int32_t words __attribute__((vector_size(32), aligned(4), may_alias));
word *out = to;
const word *in = from;
for (; count >= 8; count -= 8, in += 8, out += 8) *(words *)out = *(const words *)in;
for (; count > 0; count--) *out++ = *in++;
}
#endif
`;
