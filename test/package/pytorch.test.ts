import { describe, expect, test } from 'vitest';
import { readPage, runCode } from './page.js';

const document = await readPage('docs/pytorch.md');
const [, prelude = ''] = /^```js\n(.*?)^```$/ms.exec(document) ?? [];
const rows = [...document.matchAll(/^\| (.*) \| (.*) \|$/gm)]
  .slice(1)
  .map(([, theirs = '', ours = '']) => ({ theirs, ours }));
const [, differences = ''] = document.split('## What differs');

const codeIn = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);

/** What a line gives after the lines that the document begins with; only names of the library are in scope. */
const run = (line: string): Promise<unknown> => runCode(`${prelude}; return (${line});`);

describe('the table from PyTorch', () => {
  test('has rows, and lines that begin it', () => {
    expect(rows.length).toBeGreaterThan(30);
    expect(prelude).toContain('await openDevice()');
  });

  test.each(rows)('$theirs', async ({ theirs, ours }) => {
    expect(codeIn(theirs).length).toBeGreaterThan(0);
    const lines = codeIn(ours).filter((line) => line !== 'using');
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) await run(line);
  });

  test('a line that is wrong fails here', async () => {
    await expect(run('x.softMax()')).rejects.toThrow(TypeError);
    await expect(run('new Linear(device, 4, 2)')).rejects.toThrow(TypeError);
    await expect(run('x.sum(1, { keepDim: true })')).rejects.toThrow(/keepdim/);
  });
});

test('what differs is shown in lines that run', async () => {
  const lines = codeIn(differences).filter((line) => !/^(sluice |F\.)/.test(line));
  expect(lines.length).toBeGreaterThan(7);
  for (const line of lines) await run(line);
});

describe('the table gives what PyTorch gives', () => {
  test.each<[string, readonly number[]]>([
    ['x.view([2, -1])', [2, 12]],
    ['x.reshape([-1])', [24]],
    ['x.permute([2, 0, 1])', [4, 2, 3]],
    ['x.slice(1, 1, 3)', [2, 2, 4]],
    ['x.select(1, 0)', [2, 4]],
    ['concat([a, b], 1)', [3, 6]],
    ['stack([a, b])', [2, 3, 3]],
    ['x.sum(1, { keepdim: true })', [2, 1, 4]],
    ['x.mean()', []],
    ['x.amax(1)', [2, 4]],
    ['model.model.embedTokens.weight.gather(ids)', [1, 4, 8]],
    ['attention(q, k, v, { causal: true })', [1, 2, 3, 4]],
    ["crossEntropy(logits, ids, { labelSmoothing: 0.1, reduction: 'mean' })", []],
    ["huber(a, b, { delta: 2, reduction: 'mean' })", []],
    ['new Linear(init, 4, 2).forward(x)', [2, 3, 2]],
  ])('%s has the shape %j', async (line, shape) => {
    expect(document).toContain(`\`${line}\``);
    expect(await run(line)).toMatchObject({ shape });
  });
});
