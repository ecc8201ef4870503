import type { BenchSize, DeviceBench } from '../experiments/device-bench.js';
import type { Register } from './command.js';
import { type CommonOptions, common, withDevice } from './options.js';
import { Output } from './output.js';

interface BenchFlags extends CommonOptions {
  readonly quick?: boolean;
}

const sizes: Readonly<Record<'full' | 'quick', BenchSize>> = {
  full: {
    ...{ elements: 2 ** 22, read: 2 ** 26, repetitions: 9, product: 1024, step: {}, tokens: 100 },
    block: { tokens: 512, dim: 512, hidden: 1376 },
  },
  quick: {
    ...{ elements: 1024, read: 8192, repetitions: 1, product: 32, tokens: 4 },
    ...{ block: { tokens: 4, dim: 16, hidden: 48 }, step: { layers: 1, batch: 1 } },
  },
};

/** `sluice bench`: this machine's ceilings, and what kernels, steps and generation reach of them. */
export const registerBench: Register = (program, context) => {
  common(
    program
      .command('bench')
      .description(
        'How fast this machine is: ceilings, activations, feed-forward blocks, a training step, generation; every device that computes, or one. SLUICE_PYTHON sets PyTorch beside them.',
      )
      .option('--quick', 'tiny sizes, to see that everything runs'),
    'quiet',
    'device',
    'threads',
  ).action(async (flags: BenchFlags) => {
    const output = new Output(context.terminal, flags);
    const size = sizes[flags.quick === true ? 'quick' : 'full'];
    const [{ bestCeilings, benchDevice }, { benchPytorch }, { inspectProcessor }, { showBench }] = await Promise.all([
      import('../experiments/device-bench.js'),
      import('../experiments/peer-bench.js'),
      import('../experiments/processor.js'),
      import('./bench-view.js'),
    ]);
    const devices: DeviceBench[] = [];
    for (const device of await namesOf(flags)) {
      const measured = await withDevice(output, { ...flags, device }, (opened) =>
        benchDevice(opened, size, (what) => output.progress(`${opened.name}: ${what}`)),
      );
      devices.push(measured);
    }
    const pytorch = await benchPytorch(size, (what) => output.progress(`PyTorch: ${what}`));
    const all = [...devices, ...(pytorch === undefined ? [] : [pytorch])];
    const best = bestCeilings(all.map(({ ceilings }) => ceilings));
    const ceilings = { ...best, productFlopsPerExponential: best.productGigaflops / best.gigaexponentialsPerSecond };
    const report = { date: new Date().toISOString(), machine: await inspectProcessor(), size, ceilings, devices };
    showBench(output, { ...report, ...(pytorch === undefined ? {} : { pytorch }) });
    output.result({ ...report, pytorch: pytorch ?? null });
  });
};

/** The device that was asked for, else all that work here and are not interpreters. */
async function namesOf({ device, threads }: BenchFlags): Promise<readonly string[]> {
  if (device !== undefined) return [device];
  const { openDevice } = await import('../devices/open.js');
  const { deviceNames } = await import('../devices/registry.js');
  const { SluiceError } = await import('../base/errors.js');
  const names: string[] = [];
  for (const name of deviceNames) {
    try {
      const opened = await openDevice(name, threads === undefined ? {} : { threads });
      if (opened.isInterpreted !== true) names.push(name);
      await opened.close();
    } catch (error) {
      if (!(error instanceof SluiceError && error.code === 'device')) throw error;
    }
  }
  return names;
}
