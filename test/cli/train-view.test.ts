import { describe, expect, test } from 'vitest';
import { count, duration } from '../../src/base/units.js';
import { Output } from '../../src/cli/output.js';
import { TrainView } from '../../src/cli/train-view.js';

test.each([
  [0, '0'],
  [999, '999'],
  [9999, '9999'],
  [10_000, '10k'],
  [1_234_567, '1.2M'],
  [2_500_000_000, '2.5G'],
])('%d is written %s', (value, text) => {
  expect(count(value)).toBe(text);
});

test.each([
  [0.2, '1 s'],
  [89, '89 s'],
  [100, '2 min'],
  [5400, '1.5 h'],
])('%d seconds are written %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

describe('a view', () => {
  const shown = (quiet: boolean): { view: TrainView; text: () => string } => {
    let text = '';
    const terminal = {
      out: () => undefined,
      error: (piece: string) => (text += piece),
      interactive: false,
      color: false,
      columns: 80,
    };
    return { view: new TrainView(new Output(terminal, { quiet })), text: () => text };
  };
  const record = { loss: 2.5, learningRate: 1e-3, gradientNorm: 1, tokens: 64, tokensPerSecond: 12_345, seconds: 0.1 };

  test('writes fewer lines the longer a run is, without a terminal', () => {
    const { view, text } = shown(false);
    for (let step = 1; step <= 1000; step++)
      view.show({ kind: 'step', record: { step, ...record }, steps: 1000, tokensPerSecond: 23_456, secondsLeft: 9 });
    const lines = text().trimEnd().split('\n');
    expect(lines[0]).toBe('step 1/1000  loss 2.500  23k tokens/s  9 s left');
    expect(lines.at(-1)).toContain('step 1000/1000');
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.length).toBeLessThan(60);
  });

  test('says when an update was left out', () => {
    const { view, text } = shown(false);
    view.show({
      kind: 'step',
      record: { step: 1, ...record, loss: Number.NaN, skipped: true },
      steps: 5,
      tokensPerSecond: 12_345,
      secondsLeft: 1,
    });
    expect(text()).toContain('loss NaN  12k tokens/s  1 s left  (update left out: not finite)');
  });

  test('says nothing of a pace that is not known', () => {
    const { view, text } = shown(false);
    view.show({ kind: 'step', record: { step: 1, ...record }, steps: 5 });
    expect(text()).toBe('step 1/5  loss 2.500\n');
  });

  test('gives each warning once, also under --quiet', () => {
    for (const quiet of [false, true]) {
      const { view, text } = shown(quiet);
      for (const message of ['careful', 'look', 'careful']) view.show({ kind: 'warning', message });
      expect(text()).toBe('warning: careful\nwarning: look\n');
    }
  });

  test('is silent under --quiet', () => {
    const { view, text } = shown(true);
    view.show({ kind: 'preparing', stage: 'tokenizer', share: 0.5 });
    view.show({ kind: 'step', record: { step: 1, ...record }, steps: 1 });
    view.show({ kind: 'interrupted', step: 1 });
    expect(view.finish()).toBe(0);
    expect(text()).toBe('');
  });
});
