import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RunInspection } from '../../src/runs/inspect-run.js';
import { sluice } from '../support/terminal.js';
import { temporaryFolder, train, writeText } from './runs.js';

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const deep = (name: string, ...more: readonly string[]) =>
  sluice([
    ...['train', '--task', 'rings', '--layers', '20', '--hidden', '16', '--steps', '1', '--quiet', '--threads', '1'],
    ...['--out', path(name), ...more],
  ]);

beforeAll(async () => {
  await train(['--data', writeText(folder), '--out', path('llama'), '--tokenizer', 'char']);
  await deep('naive', '--activation', 'sigmoid', '--initialization', 'naive');
  await deep('elu', '--activation', 'elu');
  await deep('bare', '--layers', '1');
  rmSync(path('bare/model.safetensors'));
  await deep('shallow', '--activation', 'relu', '--layers', '2', '--steps', '30');
}, 180_000);

const inspect = async (...args: readonly string[]): Promise<RunInspection> => {
  const ran = await sluice(['inspect', ...args, '--threads', '1', '--json']);
  expect([ran.code, ran.error]).toEqual([0, '']);
  return ran.json() as RunInspection;
};

describe('inspect', () => {
  test('shows a naive deep sigmoid network to vanish at its start, layer by layer', async () => {
    const { code, out } = await sluice(['inspect', path('naive'), '--at-init', '--threads', '1']);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^layer +kind +units +mean +variance +of a unit +kurtosis +largest +dead +saturated +weight gradient +gradient/m,
    );
    expect(out).toMatch(/^activations\.0 +sigmoid +16 /m);
    expect(out).toMatch(/^vanishing: the gradient vanishes on its way back: .* at layers\.20, .*e-\d+ at layers\.0$/m);
    expect(out).toMatch(/^blind: what tells inputs apart is lost/m);
  });

  test('finds nothing wrong in a network whose weights suit it', async () => {
    const { findings, layers } = await inspect(path('elu'), '--at-init');
    expect(findings).toEqual([]);
    expect(layers).toHaveLength(41);
  });

  test('reads what a run came to, or what it began with', async () => {
    const [trained, initial] = [await inspect(path('shallow')), await inspect(path('shallow'), '--at-init')];
    expect(trained.loss).toBeLessThan(initial.loss);
    const norms = ({ layers }: RunInspection) => layers.map(({ parameters }) => parameters?.norm);
    expect(norms(trained)).not.toEqual(norms(initial));
  });

  test('looks into a language model by windows of its text, or of another', async () => {
    const { facts, layers } = await inspect(path('llama'), '--batch', '2', '--batches', '3');
    expect(facts[1]).toEqual(['data', '6 windows of 8 tokens of what the run held out']);
    expect(layers.map(({ name }) => name)).toContain('model.layers.0.mlp.act_fn');
    const short = writeText(folder, 'short.txt', 'the whale');
    const { facts: of, layers: same } = await inspect(path('llama'), '--data', short);
    expect(of[1]).toEqual(['data', `1 window of 8 tokens of ${short}`]);
    expect(same[0]?.values).toBe(8); // no padding
  });

  test('puts two runs of the same layers side by side', async () => {
    const svg = path('both.svg');
    const args = ['inspect', path('naive'), '--compare', path('elu'), '--at-init', '--threads', '1', '--svg', svg];
    const { code, out } = await sluice(args);
    expect(code).toBe(0);
    expect(out).toMatch(/^activations\.19 +sigmoid +elu /m);
    expect(out).toMatch(/^1 vanishing: /m);
    expect(out).toMatch(/^2 nothing vanishes, explodes, is dead or saturated$/m);
    const picture = readFileSync(svg, 'utf8');
    expect(picture).toMatch(/^<svg [^>]*aria-label="What [^"]*naive and [^"]*elu shows/);
    expect(picture.match(/activations\.\d+/g)).toHaveLength(20);
  });

  test('follows the gradient of the last answer through the time of recurrent models', async () => {
    const recurrent = async (cell: string): Promise<string> => {
      const flags = ['--steps', '1', '--context', '24', '--model', cell, '--out', path(cell)];
      const sizes = ['--dim', '8', '--layers', '1', '--tokenizer', 'char', '--batch', '2', '--threads', '1', '--quiet'];
      const text = writeText(folder, 'time.txt');
      const { code, error } = await sluice(['train', '--data', text, ...sizes, ...flags]);
      expect([code, error]).toEqual([0, '']);
      return path(cell);
    };
    const svg = path('time.svg');
    const args = [
      'inspect',
      await recurrent('rnn'),
      '--compare',
      await recurrent('lstm'),
      '--threads',
      '1',
      '--svg',
      svg,
    ];
    const { code, out } = await sluice(args);
    expect(code).toBe(0);
    expect(out).toMatch(/^The gates of recurrent\.l0: /m);
    expect(out).toMatch(/^a +tanh +-1 to 1 +\S+/m);
    expect(out).toMatch(/^f +sigmoid +0 to 1 +\S+/m);
    expect(readFileSync(svg, 'utf8')).toMatch(/>gates: .*>f<.*>sigmoid, 0 to 1</s);
    expect(out).toMatch(/^recurrent\.l0 +rnn +lstm /m);
    expect(out).toMatch(/^The gradient at each time step of recurrent\.l0, the last one first:$/m);
    expect(out).toMatch(/^ +24 .*\n( +\d+ .*\n)+ +1 .*e-\d+/m);
    expect(out).toMatch(
      /^1 vanishing: the gradient vanishes through time in recurrent\.l0: .* at step 24, .* at step 1$/m,
    );
  });

  test.each<[string, readonly string[], number, RegExp]>([
    ['a run without its weights', [path('bare')], 1, /a model folder must hold model\.safetensors .*received ".*bare"/],
    ['a folder that is no run', [folder], 1, /a run folder holds run\.json/],
    [
      'a run of other layers',
      [path('elu'), '--compare', path('shallow')],
      1,
      /same layers: .*elu has layers\.2 of 16, received .*shallow with layers\.2 of 2/,
    ],
    ['a run beside itself', [path('elu'), '--compare', path('elu')], 2, /--compare is another run/],
    ['a missing text', [path('llama'), '--data', path('missing.txt')], 1, /a file or a folder that exists/],
    ['a text of one token', [path('llama'), '--data', writeText(folder, 'one.txt', 'a')], 1, /at least 2 tokens/],
    ['no batches', [path('elu'), '--batches', '0'], 2, /--batches/],
    ['a second word', [path('elu'), path('naive')], 2, /Did you mean --compare/],
    ['a picture in a missing folder', [path('elu'), '--svg', path('no/such.svg')], 1, /such\.svg must be writable/],
  ])('refuses %s', async (_, args, wanted, message) => {
    const { code, error } = await sluice(['inspect', '--threads', '1', ...args]);
    expect(code).toBe(wanted);
    expect(error).toMatch(message);
    expect(existsSync(path('no'))).toBe(false);
  });
});
