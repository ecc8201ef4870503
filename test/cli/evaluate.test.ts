import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { sluice } from '../support/terminal.js';
import { prose, readMetrics, temporaryFolder, train, writeText } from './runs.js';

const folder = temporaryFolder();
const run = join(folder, 'run');
const text = writeText(folder);

beforeAll(async () => {
  await train(['--data', text, '--out', run, '--tokenizer', 'char']);
});

interface Result {
  readonly loss: number;
  readonly perplexity: number;
  readonly bitsPerByte: number;
  readonly tokens: number;
  readonly bytes: number;
}
const evaluate = async (...args: string[]): Promise<Result> => {
  const ran = await sluice(['evaluate', run, '--threads', '1', '--json', ...args]);
  expect([ran.code, ran.error]).toEqual([0, '']);
  return ran.json() as Result;
};

describe('evaluate', () => {
  test('gives for the held-out text what training said of it', async () => {
    const result = await evaluate();
    const last = readMetrics(run).findLast(({ validationLoss }) => validationLoss !== undefined);
    expect(result.loss).toBeCloseTo(last?.validationLoss ?? 0, 6);
    expect(result.perplexity).toBeCloseTo(Math.exp(result.loss), 9);
  });

  test('gives the same whatever the batch and the device', async () => {
    const { loss, tokens } = await evaluate('--batch', '3');
    const all = await evaluate('--batch', '1', '--device', 'reference');
    expect(all.loss).toBeCloseTo(loss, 5);
    expect(all.tokens).toBe(tokens);
  });

  test('of another text counts its bytes', async () => {
    const other = prose(5).slice(0, 200);
    const result = await evaluate('--data', writeText(folder, 'other.txt', other));
    expect([result.tokens, result.bytes]).toEqual([199, 199]);
  });

  test('shows people four lines', async () => {
    const { code, out } = await sluice(['evaluate', run, '--threads', '1']);
    expect(code).toBe(0);
    expect(out).toMatch(/^loss +[\d.]+ nats per token\nperplexity +[\d.]+\nbits per byte +[\d.]+\ntokens +\d+\n$/);
  });

  test.each<[string, readonly string[], number, RegExp]>([
    ['a folder that is no run', [folder], 1, /a run folder holds run\.json/],
    ['a missing text', [run, '--data', join(folder, 'missing.txt')], 1, /a file or a folder that exists/],
    ['a text of one token', [run, '--data', writeText(folder, 'one.txt', 'a')], 1, /at least 2 tokens/],
    [
      'a character that the tokenizer lacks',
      [run, '--data', writeText(folder, 'strange.txt', 'the whale ŧ')],
      1,
      /ŧ|character/,
    ],
    ['a batch of 0', [run, '--batch', '0'], 2, /--batch/],
    ['an unknown flag', [run, '--dta', text], 2, /Did you mean --data/],
  ])('%s is refused', async (_, args, wanted, message) => {
    const { code, out, error } = await sluice(['evaluate', '--threads', '1', ...args]);
    expect([code, out]).toEqual([wanted, '']);
    expect(error).toMatch(message);
  });
});
