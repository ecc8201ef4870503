import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { SluiceError } from '../../src/base/errors.js';
import { openReference } from '../../src/devices/reference/index.js';
import { JsonLinesWriter } from '../../src/formats/json-lines.js';
import { SafetensorsFile } from '../../src/formats/safetensors-file.js';
import { complete } from '../../src/runs/complete.js';
import { openRun } from '../../src/runs/open-run.js';
import type { PartialSettings, Settings } from '../../src/runs/settings.js';
import { resumeRun, startRun } from '../../src/runs/start-run.js';
import { Pace, type RunEvent } from '../../src/runs/train-run.js';
import { prose, readMetrics } from '../cli/runs.js';
import { errorOf } from '../formats/make-safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'sluice-start-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const data = join(folder, 'text.txt');
writeFileSync(data, prose());
let made = 0;
const out = (): string => join(folder, `run-${made++}`);

const settings = (more: PartialSettings = {}): Settings =>
  complete({
    ...{ data, dim: 8, layers: 1, heads: 2, hidden: 8, context: 8, batch: 2, steps: 6, tokenizer: 'char' },
    ...{ evalEvery: 2, saveEvery: 3, sampleEvery: 4, threads: 1, lr: 0.01 },
    ...more,
  });

async function collect(events: AsyncIterable<RunEvent>, onEvent?: (event: RunEvent) => void): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const event of events) {
    all.push(event);
    onEvent?.(event);
  }
  return all;
}
const kinds = (events: readonly RunEvent[]): string[] =>
  events.filter(({ kind }) => kind !== 'preparing').map(({ kind }) => kind);

describe('a run tells', () => {
  test('what goes on, in order', async () => {
    const events = await collect(startRun(settings(), { out: out() }));
    expect(kinds(events)).toEqual([
      'started',
      'step',
      ...['step', 'evaluated'],
      ...['step', 'saved'],
      ...['step', 'evaluated', 'sampled'],
      'step',
      ...['step', 'saved'],
      'finished',
    ]);
    const preparing = events.filter((event) => event.kind === 'preparing');
    expect(new Set(preparing.map(({ stage }) => stage))).toContain('training text');
    for (const { share } of preparing) expect(share >= 0 && share <= 1).toBe(true);
  });

  test('what it will cost before it starts, and what it needs for the rest', async () => {
    const events = await collect(startRun(settings(), { out: out() }));
    const started = events.find((event) => event.kind === 'started');
    expect(started?.plan.parameters).toBe(started?.run.trainer.model.parameterCount);
    expect(started?.plan.tokensPerStep).toBe(16);
    expect(started?.plan.memoryBytes).toBeGreaterThan(0);
    expect(started?.plan.estimatedSecondsPerStep).toBeGreaterThan(0);
    const steps = events.filter((event) => event.kind === 'step');
    expect(steps.at(-1)?.secondsLeft).toBe(0);
    const known = steps.map(({ tokensPerSecond, secondsLeft }) => [tokensPerSecond, secondsLeft].map(Boolean));
    expect(known.slice(0, 3)).toEqual([
      [false, false],
      [true, false],
      [true, true],
    ]);
  });

  test('its pace without its first step, which compiles', () => {
    const pace = new Pace();
    const record = { loss: 1, learningRate: 1, gradientNorm: 1, tokens: 0 };
    const paceAt = (step: number, seconds: number) =>
      pace.after({ ...record, step, seconds, tokensPerSecond: 100 / seconds }, 12);
    expect([paceAt(1, 60), paceAt(2, 2), paceAt(3, 4)]).toEqual([
      {},
      { tokensPerSecond: 50 },
      { tokensPerSecond: 100 / 3, secondsLeft: 27 },
    ]);
  });

  test('of a folder that is taken before anything else', async () => {
    const run = out();
    mkdirSync(join(run, 'tokens'), { recursive: true });
    const told: RunEvent[] = [];
    const error = await errorOf(() => collect(startRun(settings(), { out: run }), (event) => told.push(event)));
    expect([error.code, told]).toEqual(['checkpoint', []]);
  });

  test('a loss that falls', async () => {
    const run = out();
    const events = await collect(startRun(settings({ steps: 60, evalEvery: 1000, sampleEvery: 0 }), { out: run }));
    const losses = readMetrics(run).flatMap(({ loss }) => loss ?? []);
    expect(losses.slice(-10).reduce((sum, loss) => sum + loss / 10, 0)).toBeLessThan((losses[0] ?? 0) - 0.3);
    const finished = events.find((event) => event.kind === 'finished');
    expect(finished?.evaluation.loss).toBeLessThan(losses[0] ?? 0);
  });
});

/** The files in a folder that this process has open. */
const openIn = (path: string): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(join('/proc/self/fd', fd));
      return target.startsWith(path) ? target : [];
    } catch {
      return []; // Closed since it was listed.
    }
  });

describe.skipIf(process.platform !== 'linux')('no file stays open', () => {
  test('after a run, nor one whose held-out text cannot be read', async () => {
    const run = out();
    await collect(startRun(settings(), { out: run }));
    expect(openIn(run)).toEqual([]);
    const lines = join(folder, 'lines.jsonl');
    writeFileSync(lines, `${'{"text": "the whale"}\n'.repeat(40)}{"txt": "the sea"}\n`);
    const broken = out();
    const error = await errorOf(() => collect(startRun(settings({ data: lines, tokenizer: 'byte' }), { out: broken })));
    expect([error.code, openIn(broken)]).toEqual(['data', []]);
  });

  test('after a resumed run that has lost its held-out text', async () => {
    const run = out();
    await collect(startRun(settings(), { out: run }));
    rmSync(join(run, 'tokens', 'validation.bin'));
    expect((await errorOf(() => collect(resumeRun(run)))).code).toBe('filesystem');
    expect(openIn(run)).toEqual([]);
  });

  test('after a caller stops listening while the text is tokenized, which ends', async () => {
    const run = out();
    for await (const event of startRun(settings(), { out: run })) {
      if (event.kind === 'preparing' && event.stage === 'training text') break;
    }
    expect([openIn(run), existsSync(run)]).toEqual([[], false]);
  });
});

describe('checkpoints of a run', () => {
  test('are made after the lines of their steps are durable', async () => {
    const run = out();
    const folders: string[][] = [];
    const sync = vi.spyOn(JsonLinesWriter.prototype, 'sync').mockImplementation(async () => {
      folders.push(existsSync(join(run, 'checkpoints')) ? readdirSync(join(run, 'checkpoints')) : []);
    });
    try {
      await collect(startRun(settings(), { out: run }));
    } finally {
      sync.mockRestore();
    }
    expect(folders).toEqual([[], ['step-00000003']]);
  });

  test('warn of what could not be tidied up, and are safe', async () => {
    const run = out();
    const events = await collect(startRun(settings(), { out: run }), ({ kind }) => {
      // A folder in it keeps a leftover from being removed.
      if (kind === 'started') mkdirSync(join(run, 'checkpoints', '.tmp-left', 'folder'), { recursive: true });
    });
    const told = events.filter(({ kind }) => kind === 'saved' || kind === 'warning');
    const warning = { kind: 'warning', message: expect.stringMatching(/^the leftover .*\.tmp-left must be removable/) };
    expect(told).toEqual([
      ...[expect.objectContaining({ kind: 'saved', step: 3 }), warning],
      ...[expect.objectContaining({ kind: 'saved', step: 6 }), warning],
    ]);
  });
});

describe('a signal', () => {
  test('ends a run after the step, saved', async () => {
    const [run, controller] = [out(), new AbortController()];
    const events = await collect(startRun(settings(), { out: run, signal: controller.signal }), (event) => {
      if (event.kind === 'step' && event.record.step === 2) controller.abort();
    });
    expect(kinds(events).slice(-3)).toEqual(['evaluated', 'saved', 'interrupted']);
    const rest = await collect(resumeRun(run));
    expect(kinds(rest).filter((kind) => kind === 'step')).toHaveLength(4);
    expect(kinds(rest).at(-1)).toBe('finished');
  });

  test('ends the last evaluation too', async () => {
    const [run, controller] = [out(), new AbortController()];
    const events = await collect(startRun(settings(), { out: run, signal: controller.signal }), (event) => {
      if (event.kind === 'saved' && event.step === 6) controller.abort();
    });
    expect(kinds(events).slice(-2)).toEqual(['saved', 'interrupted']);
    expect(kinds(await collect(resumeRun(run)))).toEqual(['warning', 'started', 'finished']);
  });

  test('before the run starts leaves nothing', async () => {
    const [run, controller] = [out(), new AbortController()];
    controller.abort();
    await expect(
      collect(startRun(settings({ tokenizer: 'bpe:300' }), { out: run, signal: controller.signal })),
    ).rejects.toThrow();
    expect(existsSync(run)).toBe(false);
  });
});

test('a caller that stops listening frees the folder', async () => {
  const run = out();
  for await (const event of startRun(settings({ steps: 1000 }), { out: run })) if (event.kind === 'saved') break;
  expect(readdirSync(run).some((name) => name.startsWith('.lock'))).toBe(false);
  expect(kinds(await collect(resumeRun(run, { changes: { steps: 4 } }))).at(-1)).toBe('finished');
});

test('a run that diverges stops with its last good weights in a checkpoint', async () => {
  const run = out();
  const events: RunEvent[] = [];
  const error = await errorOf(() =>
    collect(startRun(settings({ steps: 200, lr: 1e30, clip: 0, warmup: 0, sampleEvery: 0 }), { out: run }), (event) =>
      events.push(event),
    ),
  );
  expect(error.code).toBe('diverged');
  const skipped = events.filter((event) => event.kind === 'step' && event.record.skipped === true);
  expect(skipped.length).toBeGreaterThanOrEqual(9);
  expect(events.at(-1)?.kind).toBe('saved');
  const latest = readdirSync(join(run, 'checkpoints')).sort().at(-1) ?? '';
  const weights = await SafetensorsFile.open(join(run, 'checkpoints', latest, 'model.safetensors'));
  for (const name of weights.names()) {
    const values = new Float32Array(Uint8Array.from(await weights.read(name)).buffer);
    expect(values.every(Number.isFinite), name).toBe(true);
  }
  await weights.close();
});

test('a run that cannot start takes back what it made, and nothing else', async () => {
  const run = out();
  mkdirSync(run);
  writeFileSync(join(run, 'notes.txt'), 'mine');
  mkdirSync(join(run, 'model.safetensors.d'));
  const short = settings({ validation: 1e-4 });
  await expect(collect(startRun(short, { out: run }))).rejects.toThrow('at least 2 tokens');
  expect(readdirSync(run).sort()).toEqual(['model.safetensors.d', 'notes.txt']);
});

test.each([
  { steps: 2000.5 },
  { saveEvery: -1 },
  { lr: 1 },
  { stepz: 3 },
])('a resumed run refuses the changes %o before it touches anything', async (changes) => {
  const run = out();
  await collect(startRun(settings(), { out: run }));
  const wrong: object = changes;
  await expect(collect(resumeRun(run, { changes: wrong }))).rejects.toBeInstanceOf(SluiceError);
  expect(kinds(await collect(resumeRun(run))).at(-1)).toBe('finished');
});

describe('a run that is opened', () => {
  test('has the model that was trained, on any device', async () => {
    const run = out();
    await collect(startRun(settings({ ffn: 'mlp', activation: 'x*sigmoid(1.3*x)' }), { out: run }));
    const device = await openReference();
    const { model, tokenizer, design, record } = await openRun(run, device);
    expect(design).toMatchObject({ context: 8, vocabSize: tokenizer.vocabularySize });
    expect(design.formula.toJSON().expression).toBe('x*sigmoid(1.3*x)');
    expect(record.settings).toMatchObject({ ffn: 'mlp', steps: 6 });
    expect(model.parameterCount).toBeGreaterThan(0);
    await device.close();
  });

  test.each([
    ['prelu', 'mlp'],
    ['xielu', 'gated'],
  ])('has what %s learned in a block %s', async (activation, ffn) => {
    const run = out();
    await collect(startRun(settings({ ffn, activation, steps: 20, evalEvery: 1000, sampleEvery: 0 }), { out: run }));
    const device = await openReference();
    const { model, record } = await openRun(run, device);
    const learned = model.namedParameters().filter(({ name }) => name.includes('act_fn.'));
    expect(learned.length).toBe(
      Object.keys(record.feedForward.parameters).filter((name) => record.feedForward.parameters[name]?.learned).length,
    );
    for (const { name, tensor } of learned) {
      const property =
        name
          .split('.')
          .at(-1)
          ?.replace(/_([a-z])/, (_, letter: string) => letter.toUpperCase())
          .replace('weight', 'slope') ?? '';
      const initial = record.feedForward.parameters[property]?.value ?? Number.NaN;
      const [value = initial] = await tensor.toArray();
      expect(Math.abs(value - initial)).toBeGreaterThan(1e-4);
    }
    await device.close();
  });
});
