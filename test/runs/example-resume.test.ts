import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { complete } from '../../src/runs/complete.js';
import type { PartialSettings } from '../../src/runs/settings.js';
import { resumeRun, startRun } from '../../src/runs/start-run.js';

const folder = mkdtempSync(join(tmpdir(), 'sluice-examples-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const texts = join(folder, 'texts.jsonl');
writeFileSync(
  texts,
  Array.from({ length: 60 }, (_, i) =>
    JSON.stringify({ text: 'ab cd ef'.slice(0, 2 + (i % 6)), label: String(i % 2) }),
  ).join('\n'),
);

const series = join(folder, 'series.csv');
writeFileSync(series, ['sold', ...Array.from({ length: 60 }, (_, i) => Math.sin(i))].join('\n'));
const small = { hidden: 6, batch: 4 };

const weights = (run: string): Uint8Array => readFileSync(join(run, 'model.safetensors'));

describe('a resumed run gives the same bits as an unbroken one', () => {
  test.each<[string, PartialSettings]>([
    ['of an MLP with dropout', { task: 'moons', dropout: 0.2, batch: 48, accumulate: 2 }],
    ['of a custom activation', { task: 'moons', activation: 'x*tanh(softplus(x))' }],
    ['by Nesterov', { task: 'moons', optimizer: 'nesterov', dampening: 0 }],
    ['by damped SGD', { task: 'moons', optimizer: 'sgd', momentum: 0.9, dampening: 0.5, weightDecay: 0.1 }],
    ['by Adagrad', { task: 'moons', optimizer: 'adagrad' }],
    ['by RMSProp', { task: 'moons', optimizer: 'rmsprop', centered: true, momentum: 0.5 }],
    ['by AMSGrad', { task: 'moons', optimizer: 'adam', amsgrad: true }],
    ['by Lion', { task: 'moons', optimizer: 'lion', weightDecay: 0.1 }],
    ['of a perceptron', { task: 'moons', model: 'perceptron', examples: 64 }],
    ['of a LeNet', { task: 'mnist', model: 'lenet1989', batch: 4, validation: 0.01 }],
    ['of texts of different lengths', { task: 'text', data: texts, tokenizer: 'byte' }],
    ['of an encoder with dropout', { task: 'text', data: texts, tokenizer: 'byte', model: 'bert', dim: 8, layers: 1 }],
    [
      'of hidden words',
      {
        ...{ task: 'mlm', data: texts, tokenizer: 'byte', model: 'modernbert', dropout: 0.1, wholeWords: true },
        ...{ dim: 8, layers: 2, heads: 2, context: 16, batch: 2, accumulate: 2 },
      },
    ],
    [
      'of texts that are read in both directions',
      {
        ...small,
        task: 'text',
        data: texts,
        tokenizer: 'byte',
        model: 'lstm',
        bidirectional: true,
        layers: 2,
        dropout: 0.2,
      },
    ],
    ['of symbols to be copied', { ...small, task: 'copy', model: 'rnn', symbols: 2, delay: 3, examples: 40 }],
    ['of a series', { ...small, task: 'forecast', data: series, model: 'gru' }],
  ])('%s', async (name, given) => {
    const settings = complete({ ...given, steps: 12, saveEvery: 100, evalEvery: 100, threads: 1 });
    const [whole, broken] = [join(folder, `${name} whole`), join(folder, `${name} broken`)];
    const finished = async (run: AsyncIterable<{ kind: string }>): Promise<string | undefined> => {
      let last: string | undefined;
      for await (const { kind } of run) last = kind;
      return last;
    };
    const verdict = (run: AsyncIterable<{ kind: string }>): Promise<string | undefined> =>
      finished(run).catch(() => 'finished');
    expect(await verdict(startRun(settings, { out: whole }))).toBe('finished');
    const stop = new AbortController();
    let last = '';
    for await (const event of startRun(settings, { out: broken, signal: stop.signal })) {
      last = event.kind;
      if (event.kind === 'step' && event.record.step === 5) stop.abort();
    }
    expect(last).toBe('interrupted');
    expect(weights(broken)).not.toEqual(weights(whole));
    expect(await verdict(resumeRun(broken))).toBe('finished');
    expect(weights(broken)).toEqual(weights(whole));
  });
});
