import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Ran, sluice } from '../support/terminal.js';
import { readJson, readMetrics, temporaryFolder, train, writeText } from './runs.js';

const folder = temporaryFolder();
const unbroken = join(folder, 'unbroken');

/** The losses of a run, and the bytes of its weights. */
const outcome = (run: string): unknown => ({
  losses: readMetrics(run)
    .filter(({ loss }) => loss !== undefined)
    .map(({ step, loss }) => [step, loss]),
  weights: readFileSync(join(run, 'model.safetensors')).toString('base64'),
});
const checkpointsOf = (run: string): string[] => readdirSync(join(run, 'checkpoints')).sort();
const resume = (run: string, ...args: string[]): Promise<Ran> => sluice(['train', '--resume', run, ...args]);
const copy = (name: string): string => {
  cpSync(unbroken, join(folder, name), { recursive: true });
  return join(folder, name);
};

beforeAll(async () => {
  const ran = await train(['--data', writeText(folder), '--out', unbroken, '--steps', '9', '--save-every', '3']);
  expect(ran.code).toBe(0);
});
afterEach(() => {
  delete process.env['SLUICE_SEED'];
});

describe('a damaged checkpoint is refused, and the last good one used', () => {
  const flip = (path: string): void => {
    const bytes = readFileSync(path);
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  };
  const damages: readonly [string, (checkpoint: string) => void][] = [
    [
      'truncated',
      (checkpoint) => {
        const path = join(checkpoint, 'optimizer.safetensors');
        truncateSync(path, statSync(path).size - 1);
      },
    ],
    ['with a flipped bit', (checkpoint) => flip(join(checkpoint, 'model.safetensors'))],
    ['without its state', (checkpoint) => rmSync(join(checkpoint, 'state.json'))],
    ['of another program', (checkpoint) => writeFileSync(join(checkpoint, 'manifest.json'), '{"iteration": 9}')],
  ];

  test.each(damages)('%s', async (what, damage) => {
    const run = copy(`damaged-${what.replaceAll(' ', '-')}`);
    damage(join(run, 'checkpoints', 'step-00000009'));
    const { code, error } = await resume(run);
    expect(code).toBe(0);
    expect(error).toMatch(/^warning: .*step-00000009 is not used: /m);
    expect(error).toContain('step 9/9');
    expect(outcome(run)).toEqual(outcome(unbroken));
  });

  test('and what of it cannot be removed is a warning', async () => {
    const run = copy('unremovable');
    const checkpoint = join(run, 'checkpoints', 'step-00000009');
    flip(join(checkpoint, 'model.safetensors'));
    mkdirSync(join(checkpoint, 'folder'));
    const { code, error } = await resume(run, '--quiet');
    expect(code).toBe(0);
    expect(error).toMatch(/^warning: the old checkpoint .*step-00000009 must be removable/m);
    expect(error.match(/must be removable/g)).toHaveLength(2); // The leftover is seen again at the next checkpoint.
    expect(outcome(run)).toEqual(outcome(unbroken));
  });

  test('all of them: nothing is trained, nothing changed', async () => {
    const run = copy('hopeless');
    for (const name of checkpointsOf(run)) flip(join(run, 'checkpoints', name, 'model.safetensors'));
    const { code, error } = await resume(run);
    expect(code).toBe(1);
    expect(error).toMatch(/error: a resumed run has a valid checkpoint.*None of 3 can be used/);
    expect(error.match(/is not used/g)).toHaveLength(3);
    expect(outcome(run)).toEqual(outcome(unbroken));
    expect(checkpointsOf(run)).toEqual(checkpointsOf(unbroken));
  });

  test('of a model with another shape', async () => {
    const run = copy('foreign');
    const config = readJson(run, 'config.json');
    writeFileSync(join(run, 'config.json'), JSON.stringify({ ...config, intermediate_size: 12 }));
    const { code, error } = await resume(run);
    expect([code, error]).toEqual([1, expect.stringMatching(/\[8, 8\], not \[12, 8\]/)]);
  });
});

describe('a run that is complete', () => {
  test('says so when it is resumed, and is as before', async () => {
    const run = copy('complete');
    const ran = await resume(run, '--json');
    expect([ran.code, ran.error]).toEqual([
      0,
      expect.stringContaining('all is done after 9 steps; a larger --steps goes on'),
    ]);
    expect(ran.json()).toMatchObject({ run, step: 9, steps: 9 });
    expect(outcome(run)).toEqual(outcome(unbroken));
  });

  test('goes on with more steps, on a schedule of that length', async () => {
    const run = copy('longer');
    expect((await resume(run, '--steps', '14', '--save-every', '2')).code).toBe(0);
    const lines = readMetrics(run) as unknown as { loss?: number; learningRate: number }[];
    const rates = lines.filter(({ loss }) => loss !== undefined).map(({ learningRate }) => learningRate);
    expect(rates).toHaveLength(14);
    expect(rates[9]).toBeGreaterThan(rates[8] ?? 1);
    expect(checkpointsOf(run)).toEqual(['step-00000010', 'step-00000012', 'step-00000014']);
    // The next time its new length is known.
    expect((await resume(run, '--json')).json()).toMatchObject({ step: 14, steps: 14 });
  });
});

describe('resuming', () => {
  test.each([
    [['--lr', '0.1'], 2, /a resumed run keeps its settings, received "lr"\. These may change: steps, /],
    [['--seed', '1'], 2, /received "seed"/],
    [['--preset', 'demo'], 2, /--resume goes without --preset/],
    [['--save-every', '0'], 2, /saveEvery is at least 1/],
    [['--stesp', '20'], 2, /Did you mean --steps/],
    [['--steps', '8'], 1, /steps is at least those that are done, 9, received 8/],
    [['--device', 'wsam'], 1, /"wsam"\. Did you mean "wasm"/],
  ])('with %j is refused', async (args, wanted, message) => {
    const { code, error } = await resume(unbroken, ...args);
    expect(error).toMatch(message);
    expect(code).toBe(wanted);
  });

  test('what does not fit into the memory is refused before anything is made or changed', async () => {
    const run = copy('large');
    writeFileSync(
      join(run, 'config.json'),
      JSON.stringify({ ...readJson(run, 'config.json'), intermediate_size: 2 ** 30 }),
    );
    const metrics = `${readFileSync(join(run, 'metrics.jsonl'), 'utf8')}{"step":10,"lo`;
    writeFileSync(join(run, 'metrics.jsonl'), metrics);
    const { code, error } = await resume(run);
    expect([code, error]).toEqual([
      1,
      expect.stringMatching(/^error: a run fits in .* of memory here, received "about/m),
    ]);
    expect(readFileSync(join(run, 'metrics.jsonl'), 'utf8')).toBe(metrics);
  });

  test('is what a run without a flag is taken for', async () => {
    expect(await sluice(['train', unbroken])).toMatchObject({
      code: 2,
      error: expect.stringContaining(`Did you mean --resume ${unbroken}?`),
    });
  });

  test('what is no run is refused', async () => {
    expect(await resume(folder)).toMatchObject({
      code: 1,
      error: expect.stringMatching(/^error: a run folder holds run\.json/),
    });
    expect(await resume(join(folder, 'missing'))).toMatchObject({
      code: 1,
      error: expect.stringMatching(/^error: a run is a folder/),
    });
  });

  test('does not mind a seed in the environment', async () => {
    process.env['SLUICE_SEED'] = '99';
    expect(await resume(copy('seeded'))).toMatchObject({ code: 0 });
  });

  test('on another device or with other threads warns that bits may differ', async () => {
    const { code, error } = await resume(copy('elsewhere'), '--threads', '2');
    expect(code).toBe(0);
    expect(error).toMatch(/^warning: the checkpoint was made under other conditions.*"threads":1.*"threads":2/m);
  });

  test('leaves a line for each step once, whatever a crash left behind', async () => {
    const run = copy('torn');
    const metrics = join(run, 'metrics.jsonl');
    rmSync(join(run, 'checkpoints', 'step-00000009'), { recursive: true });
    writeFileSync(metrics, `${readFileSync(metrics, 'utf8')}{"step":10,"lo`);
    expect((await resume(run)).code).toBe(0);
    expect(outcome(run)).toEqual(outcome(unbroken));
  });
});
