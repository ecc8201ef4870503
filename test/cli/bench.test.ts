import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { catalogue } from '../../src/activations/catalogue.js';
import { sluice } from '../support/terminal.js';

interface Speed {
  readonly nanosecondsPerElement: number;
}
interface Step {
  readonly milliseconds: number;
  readonly tokensPerSecond: number;
}
interface Report {
  readonly date: string;
  readonly machine: { readonly processor: string };
  readonly ceilings: Readonly<Record<string, number>>;
  readonly devices: readonly {
    readonly device: string;
    readonly threads: number;
    readonly ceilings: Readonly<Record<string, number>>;
    readonly activations: readonly { readonly name: string; readonly value: Speed; readonly gradient: Speed }[];
    readonly blocks: readonly { readonly name: string; readonly milliseconds: number }[];
    readonly trainingStep: Step;
    readonly generation: Step;
  }[];
  readonly pytorch: unknown;
}

const quick = ['bench', '--quick', '--threads', '1', '--device', 'wasm', '--quiet'];

test('bench measures ceilings, every formula, a block for each gate, a step and generation, dated', async () => {
  const ran = await sluice([...quick, '--json']);
  expect(ran).toMatchObject({ code: 0, error: '' });
  const report = ran.json() as Report;
  const [wasm] = report.devices;
  expect(Date.parse(report.date)).toBeGreaterThan(0);
  expect(report.machine.processor).not.toBe('');
  expect(wasm).toMatchObject({ device: 'wasm', threads: 1 });
  expect(wasm?.activations.map(({ name }) => name)).toEqual(catalogue().map(({ name }) => name));
  const gates = catalogue().filter(({ kind }) => kind === 'gate');
  expect(wasm?.blocks.map(({ name }) => name)).toEqual(expect.arrayContaining(gates.map(({ name }) => name)));
  const measured = [
    ...Object.values({ ...report.ceilings, ...wasm?.ceilings }),
    ...(wasm?.activations ?? []).flatMap(({ value, gradient }) => [
      value.nanosecondsPerElement,
      gradient.nanosecondsPerElement,
    ]),
    ...(wasm?.blocks ?? []).map(({ milliseconds }) => milliseconds),
    ...[wasm?.trainingStep, wasm?.generation].flatMap((step) => [step?.milliseconds ?? 0, step?.tokensPerSecond ?? 0]),
  ];
  expect(measured.filter((value) => !(value > 0 && Number.isFinite(value)))).toEqual([]);
});

test('bench shows people tables of the same', async () => {
  const { code, out } = await sluice(quick);
  expect(code).toBe(0);
  for (const part of ['GB/s', 'GFLOP/s', 'exponential', 'swiglu block', 'training step', 'tokens per second']) {
    expect(out).toContain(part);
  }
});

/** A Python that says of itself what this says; its answers to all else are times of 2 ms. */
function fakePython(describe: object, folder: string): string {
  const path = join(folder, 'python');
  const time = { median: 2, best: 1, check: [] };
  writeFileSync(
    path,
    `#!${process.execPath}
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const result = JSON.parse(line).do === 'describe' ? ${JSON.stringify(describe)} : ${JSON.stringify(time)};
  console.log(JSON.stringify({ result }));
});
`,
  );
  chmodSync(path, 0o755);
  return path;
}

test.skipIf(process.platform === 'win32').each([
  ['that has PyTorch is set beside', { description: 'PyTorch of a test' }, 2],
  ['without PyTorch is left out', { description: '', missing: 'no module torch' }, undefined],
])('a Python %s', async (_, describe, milliseconds) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  const before = process.env['SLUICE_PYTHON'];
  try {
    process.env['SLUICE_PYTHON'] = fakePython(describe, folder);
    const { code, json } = await sluice([...quick, '--json']);
    expect(code).toBe(0);
    const { pytorch } = json() as { pytorch: { trainingMilliseconds: number } | null };
    expect(pytorch?.trainingMilliseconds).toBe(milliseconds);
  } finally {
    if (before === undefined) delete process.env['SLUICE_PYTHON'];
    else process.env['SLUICE_PYTHON'] = before;
    rmSync(folder, { recursive: true, force: true });
  }
});

test('bench of all devices measures those that compute, and says why another does not', async () => {
  vi.stubEnv('SLUICE_CC', 'none');
  const { code, json, error } = await sluice(['bench', '--quick', '--threads', '1', '--json']);
  vi.unstubAllEnvs();
  expect(code).toBe(0);
  expect((json() as Report).devices.map(({ device }) => device)).toEqual(['wasm']);
  expect(error.match(/^Not native: .*needs a C compiler.*$/gm)).toHaveLength(1);
});
