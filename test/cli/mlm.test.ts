import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { sluice } from '../support/terminal.js';
import { readJson, readMetrics, temporaryFolder, train, writeText } from './runs.js';

const folder = temporaryFolder();
const data = writeText(folder);
const run = join(folder, 'bert');
const learn = (...args: string[]) => train(['--task', 'mlm', '--data', data, ...args]);

beforeAll(async () => {
  const ran = await learn('--out', run, '--steps', '30', '--lr', '1e-2', '--eval-every', '10', '--json');
  expect(ran.error).not.toContain('error');
  expect(ran.code).toBe(0);
}, 60_000);

describe('sluice train --task mlm', () => {
  test('learns, and leaves what Hugging Face reads', () => {
    const lines = readMetrics(run);
    const losses = lines.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
    expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
    expect(readJson(run, 'config.json')).toMatchObject({ model_type: 'bert', architectures: ['BertForMaskedLM'] });
    expect(readJson(run, 'tokenizer_config.json')).toMatchObject({ mask_token: '[MASK]', cls_token: '[CLS]' });
    expect(existsSync(join(run, 'generation_config.json'))).toBe(false);
  });

  test.each([
    [['--model', 'llama'], 'mlm is learned by bert or modernbert'],
    [['--context', '2'], 'room for its two marks'],
    [['--model', 'modernbert', '--ffn', 'mlp'], 'modernbert has a gated block'],
    [['--mask-share', '1'], 'maskShare is below 1'],
    [['--sample-every', '5'], 'sampleEvery'],
  ])('%j is refused', async (args, rule) => {
    const out = join(folder, 'refused');
    const { code, error } = await learn('--out', out, ...args);
    expect(error).toContain(rule);
    expect(code).toBe(2);
    expect(existsSync(out)).toBe(false);
  });
});

describe('a trained encoder', () => {
  test('is evaluated by hidden tokens, the same each time', async () => {
    const [first, again] = [await sluice(['evaluate', run, '--json']), await sluice(['evaluate', run, '--json'])];
    expect(first.code).toBe(0);
    const { pseudoPerplexity, loss, maskedAccuracy } = JSON.parse(first.out) as Record<string, number>;
    expect(pseudoPerplexity).toBeCloseTo(Math.exp(loss ?? 0), 8);
    expect(maskedAccuracy).toBeGreaterThan(0.05);
    expect(again.out).toBe(first.out);
  });

  test('fills in what is hidden', async () => {
    const { out, code } = await sluice(['predict', run, '--text', 'wh[MASK]', '--json']);
    expect(code).toBe(0);
    const { target, predictions } = JSON.parse(out) as { target: string; predictions: { probability: number }[] };
    expect([target, predictions.length]).toEqual(['[MASK]', 1]);
    const refused = await sluice(['predict', run, '--text', 'whale']);
    expect([refused.code, refused.error]).toEqual([
      1,
      expect.stringContaining('has a [MASK] within its first 6 tokens'),
    ]);
  });

  test('gives texts vectors that do not hang on their neighbours', async () => {
    const vectorsOf = async (...args: string[]): Promise<number[][]> => {
      const { out, code } = await sluice(['embed', run, '--json', ...args]);
      expect(code).toBe(0);
      return (JSON.parse(out) as { embeddings: { vector: number[] }[] }).embeddings.map(({ vector }) => vector);
    };
    const both = await vectorsOf('--text', 'the sea', '--text', 'a', '--normalize');
    const [alone = []] = await vectorsOf('--text', 'a', '--normalize');
    expect(Math.hypot(...alone)).toBeCloseTo(1, 6);
    both[1]?.forEach((value, i) => {
      expect(value).toBeCloseTo(alone[i] ?? Number.NaN, 6);
    });
    const file = join(folder, 'texts.txt');
    writeFileSync(file, 'the sea\n\na\n');
    expect(await vectorsOf('--data', file, '--normalize')).toEqual(both);
    expect(await vectorsOf('--text', 'a', '--pooling', 'cls')).not.toEqual(await vectorsOf('--text', 'a'));
  });

  test('nothing to embed, another pooling and a model that writes are refused', async () => {
    expect((await sluice(['embed', run])).error).toContain('Give --text');
    expect((await sluice(['embed', run, '--text', 'a', '--pooling', 'max'])).error).toContain('mean, cls');
    const other = join(folder, 'llama');
    expect((await train(['--data', data, '--out', other])).code).toBe(0);
    expect((await sluice(['embed', other, '--text', 'a'])).error).toContain('bert or modernbert');
  });

  test('is inspected', async () => {
    const { code, error } = await sluice(['inspect', run, '--json']);
    expect([code, error]).toEqual([0, expect.not.stringContaining('error')]);
  });
});
