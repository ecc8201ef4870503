/** Sizes, and the keys that each query sees, from the first to the one after the last. */
type RangeCase = readonly [
  name: string,
  sizes: {
    readonly batch: number;
    readonly queryLength: number;
    readonly keyLength: number;
    readonly heads: number;
    readonly keyValueHeads: number;
    readonly headDim: number;
  },
  ranges: (item: number, query: number) => readonly [number, number],
];

const square = (batch: number, length: number, heads: number, headDim: number) => ({
  ...{ batch, queryLength: length, keyLength: length },
  ...{ heads, keyValueHeads: heads, headDim },
});

const lengths = [100, 64, 1, 0, 37];
const lengthOf = (item: number): number => lengths[item % lengths.length] ?? 0;

/** A text of `size` tokens after the other. */
const packed = (size: number) => (_: number, query: number) =>
  [query - (query % size), query - (query % size) + size] as const;

export const rangeCases: readonly RangeCase[] = [
  ['padding on the right', square(5, 100, 2, 16), (item) => [0, lengthOf(item)]],
  ['padding on the left', square(5, 100, 2, 16), (item) => [100 - lengthOf(item), 100]],
  [
    'padding that sees nothing',
    square(5, 100, 2, 16),
    (item, query) => [0, query < lengthOf(item) ? lengthOf(item) : 0],
  ],
  ['a window', square(2, 300, 2, 24), (_, query) => [query - 20, query + 21]],
  [
    'a window wider than a block',
    { ...square(1, 300, 4, 8), keyValueHeads: 2 },
    (_, query) => [query - 90, query + 91],
  ],
  ['short texts packed', square(2, 250, 2, 16), packed(7)],
  ['long texts packed', square(1, 300, 1, 64), packed(130)],
  ['ranges in no order', square(2, 150, 2, 16), (item, query) => [(query * 37 + item) % 150, (query * 53) % 151]],
  ['ranges beyond the keys', square(1, 70, 1, 5), (_, query) => [query - 100, query + 100]],
  ['other numbers of keys', { ...square(2, 70, 2, 16), keyLength: 200 }, (_, query) => [2 * query, 2 * query + 50]],
  ['one query', { ...square(4, 1, 4, 16), keyLength: 190, keyValueHeads: 2 }, (item) => [60 * item, 3 * 60]],
];
