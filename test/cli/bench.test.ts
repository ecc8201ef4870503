import { expect, test } from 'vitest';
import { catalogue } from '../../src/activations/catalogue.js';
import { sluice } from '../support/terminal.js';

interface Speed {
  readonly nanosecondsPerElement: number;
}
interface Report {
  readonly device: string;
  readonly threads: number;
  readonly ceilings: Readonly<Record<string, number>>;
  readonly activations: readonly { readonly name: string; readonly value: Speed; readonly gradient: Speed }[];
  readonly feedForward: { readonly milliseconds: number };
  readonly trainingStep: { readonly milliseconds: number; readonly tokensPerSecond: number };
}

test('bench measures the ceilings, every formula of the catalogue and two steps', async () => {
  const ran = await sluice(['bench', '--quick', '--json', '--threads', '1', '--device', 'wasm', '--quiet']);
  expect(ran).toMatchObject({ code: 0, error: '' });
  const report = ran.json() as Report;
  expect(report).toMatchObject({ device: 'wasm', threads: 1 });
  expect(report.activations.map(({ name }) => name)).toEqual(catalogue().map(({ name }) => name));
  const measured = [
    ...Object.values(report.ceilings),
    ...report.activations.flatMap(({ value, gradient }) => [
      value.nanosecondsPerElement,
      gradient.nanosecondsPerElement,
    ]),
    report.feedForward.milliseconds,
    report.trainingStep.milliseconds,
    report.trainingStep.tokensPerSecond,
  ];
  expect(measured.filter((value) => !(value > 0 && Number.isFinite(value)))).toEqual([]);
});

test('bench shows people tables of the same', async () => {
  const { code, out } = await sluice(['bench', '--quick', '--threads', '1', '--device', 'wasm', '--quiet']);
  expect(code).toBe(0);
  for (const part of ['GB/s', 'GFLOP/s', 'exponentials', 'swiglu', 'training step', 'tokens per second']) {
    expect(out).toContain(part);
  }
});
