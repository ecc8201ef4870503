import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Examples } from '../../src/data/examples.js';
import type { TableChoice } from '../../src/data/table-encoding.js';
import { chooseColumns, encodeTable, fitEncoding } from '../../src/data/table-encoding.js';
import { readTable } from '../../src/runs/read-table.js';

const folder = mkdtempSync(join(tmpdir(), 'sluice-table-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;
const file = (text: string, extension = 'csv'): string => {
  const path = join(folder, `t${made++}.${extension}`);
  writeFileSync(path, text);
  return path;
};

describe('a table', () => {
  test('is read with quoted cells, a byte order mark, blank lines and either end of line', async () => {
    const { columns, rows } = await readTable(
      file('\uFEFFx,"a, b",label\r\n1,"say ""no""",u\r\n\r\n2,"two\nlines",v\n'),
    );
    expect(columns).toEqual(['x', 'a, b', 'label']);
    expect(rows).toEqual([
      { line: 2, cells: ['1', 'say "no"', 'u'] },
      { line: 4, cells: ['2', 'two\nlines', 'v'] },
    ]);
  });

  test.each([
    ['tsv', 'x\ty\n1\t2\n3\t4\n'],
    ['csv', 'x;y\n1;2\n3;4\n'],
    ['csv', 'x\ty\n1\t2\n3\t4\n'],
  ])('in .%s may be separated by other than commas', async (extension, text) => {
    expect((await readTable(file(text, extension))).columns).toEqual(['x', 'y']);
  });

  test.each([
    ['x,y\n1,2\n3\n', /line 3 of .*\.csv has 2 cells, received "1 cell"/],
    ['x,y\n1,2\n3,4,5\n', /line 3 of .* has 2 cells, received "3 cells"/],
    ['1,2\n3,4\n5,6\n', /line 1 of .* names the columns/],
    ['1.5,p\n2.5,q\n3,p\n', /line 1 of .* names the columns/],
    ['x,x\n1,2\n3,4\n', /line 1 of .* names each column differently, received "x"/],
    ['x,\n1,2\n3,4\n', /line 1 of .* names every column, received "none for column 2"/],
    ['x,y\n1,2\n', /has rows below its first line, received "1 row"/],
    ['x,y\n1,"2\n\n3"\n4\n5,6\n', /line 5 of .* has 2 cells, received "1 cell"/],
    ['x,y\n1,"2\n3,4\n', /line \d of .* is a row of a table/],
    ['', /has rows below its first line/],
  ])('refuses %j', async (text, message) => {
    await expect(readTable(file(text))).rejects.toThrow(message);
  });

  test('that is not there, or not UTF-8, is refused by name', async () => {
    await expect(readTable(join(folder, 'none.csv'))).rejects.toThrow(/none\.csv/);
    const path = join(folder, 'latin.csv');
    writeFileSync(path, Uint8Array.of(0x78, 0x2c, 0xe4, 0x0a));
    await expect(readTable(path)).rejects.toThrow(/latin\.csv is UTF-8 text/);
  });
});

describe('an encoding', () => {
  const encode = async (text: string, choice: Partial<TableChoice> = {}, other?: string): Promise<Examples> => {
    const whole = await readTable(file(text));
    const chosen = chooseColumns(whole, { missing: 'refuse', ...choice });
    const all = Int32Array.from(chosen.table.rows, (_, i) => i);
    const encoding = fitEncoding(chosen, all, choice.missing ?? 'refuse');
    return encodeTable(other === undefined ? whole : await readTable(file(other)), encoding);
  };
  const rows = (examples: Examples): number[][] =>
    Array.from({ length: examples.count }, (_, i) =>
      Array.from(examples.inputs.subarray(i * examples.width, (i + 1) * examples.width)),
    );
  const good = 'size,color,kind\n1,red,a\n3,blue,b\n1,blue,a\n3,red,b\n';

  test('standardizes numbers, gives each word a place, and numbers the classes', async () => {
    const examples = await encode(good);
    // Words in the order of the alphabet: blue, red.
    expect(rows(examples)).toEqual([
      [-1, 0, 1],
      [1, 1, 0],
      [-1, 1, 0],
      [1, 0, 1],
    ]);
    expect(examples.targets).toEqual(Int32Array.of(0, 1, 0, 1));
  });

  test('takes many or broken numbers for values and few whole ones for classes, unless told', async () => {
    expect((await encode('x,y\n1,0.5\n2,1\n3,2\n')).targets).toBeInstanceOf(Float32Array);
    expect((await encode('x,y\n1,0\n2,1\n3,0\n4,1\n')).targets).toBeInstanceOf(Int32Array);
    expect((await encode('x,y\n1,0\n2,1\n3,0\n4,1\n', { kind: 'values' })).targets).toEqual(
      Float32Array.of(-1, 1, -1, 1),
    );
  });

  test('takes the target and the inputs by name', async () => {
    const examples = await encode(good, { target: 'color', inputs: ['size'] });
    expect(rows(examples)).toEqual([[-1], [1], [-1], [1]]);
    expect(examples.targets).toEqual(Int32Array.of(1, 0, 0, 1));
  });

  test.each([
    [good, { target: 'knd' }, undefined, /line 1 of .* names the column "knd".* Did you mean "kind"/],
    [good, {}, 'size,kind\n1,a\n2,b\n', /line 1 of .* names the column "color"/],
    [
      good,
      {},
      'size,color,kind\n1,red,a\n2,red,c\n',
      /line 3 of .*: kind is one of the 2 that training saw, received "c"/,
    ],
    [
      good,
      {},
      'size,color,kind\n1,red,a\n2,green,b\n',
      /line 3 of .*: color is one of the 2 that training saw, received "green"/,
    ],
    [good, {}, 'size,color,kind\n1,red,a\nbig,red,b\n', /line 3 of .*: size is a number, received "big"/],
    ['x,y\n1,a\n2,a\n3,b\n', {}, undefined, /line 4 of .*: y is of a class with two examples or more, received "b"/],
    ['x,y\n1,a\n2,b\n3,a\noops,b\n', {}, undefined, /line 5 of .*: x is a number, received "oops"/],
    ['x,y\n1,a\n,b\n3,a\n4,b\n', {}, undefined, /line 3 of .*: x has a value, received ""\. Use --missing mean/],
    [
      'x,y\n1,a\n2,NA\n3,a\n',
      { missing: 'mean' },
      undefined,
      /line 3 of .*: y has a value, received "NA".*--missing drop/,
    ],
    ['x,y\n1,a\n2,a\n', {}, undefined, /y of .* has two classes or more/],
  ] as const)('of %j with %j refuses %j', async (text, choice, other, message) => {
    await expect(encode(text, choice, other)).rejects.toThrow(message);
  });

  test('fills a missing number with the mean of the others, or drops the row', async () => {
    const text = 'x,y\n1,a\n?,b\n3,a\nn/a,b\n2,b\n5,b\n3,a\n';
    const filled = await encode(text, { missing: 'mean' });
    expect([rows(filled)[1], rows(filled)[3]]).toEqual([[0], [0]]);
    expect((await encode(text, { missing: 'drop' })).count).toBe(5);
  });

  test.each([
    [
      'a decimal comma',
      'x;y\n1,5;p\n2,5;q\n3,5;p\n4,5;q\n',
      /line 2 of .*: x is a number, received "1,5".*decimal point/,
    ],
    ['a separator of thousands', 'x,y\n"1,234.5",p\n7,q\n"2,000",p\n1,q\n', /x is a number, received "1,234\.5"/],
    ['dates', 'x,y\n2024-01-02,p\n2024-01-03,q\n2024-01-02,p\n2024-01-04,q\n', /x of .*received "dates such as 2024/],
  ])('refuses %s, which would be taken for words', async (_, text, message) => {
    await expect(encode(text)).rejects.toThrow(message);
  });

  test('says of a column of texts how texts are classified', async () => {
    const rows = Array.from({ length: 30 }, (_, i) => `it was number ${i} of them,${i % 2 === 0 ? 'a' : 'b'}`);
    await expect(encode(`review,y\n${rows.join('\n')}\n`)).rejects.toThrow(/--task text --data FILE --inputs review/);
  });

  test('refuses a column of words that differ in every row', async () => {
    const text = `name,y\n${Array.from({ length: 150 }, (_, i) => `n${i}x,${i % 2 === 0 ? 'a' : 'b'}`).join('\n')}\n`;
    await expect(encode(text)).rejects.toThrow(/name of .* has at most 75 different words in 150 rows, received 150/);
  });
});
