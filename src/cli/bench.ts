import { SluiceError } from '../base/errors.js';
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
    const [{ bestCeilings, benchDevice }, { benchPytorch }, { inspectProcessor }, { showBench }, { deviceNames }] =
      await Promise.all([
        import('../experiments/device-bench.js'),
        import('../experiments/peer-bench.js'),
        import('../experiments/processor.js'),
        import('./bench-view.js'),
        import('../devices/registry.js'),
      ]);
    const devices: DeviceBench[] = [];
    const bench = async (device: string, isAsked: boolean): Promise<void> => {
      const measured = await withDevice(output, { ...flags, device }, async (opened) => {
        if (opened.isInterpreted === true && !isAsked) return undefined;
        return benchDevice(opened, size, (what) => output.progress(`${opened.name}: ${what}`));
      });
      if (measured !== undefined) devices.push(measured);
    };
    if (flags.device !== undefined) await bench(flags.device, true);
    else for (const name of deviceNames) await bench(name, false).catch((error) => passOver(output, name, error));
    const pytorch = await benchPytorch(size, (what) => output.progress(`PyTorch: ${what}`));
    const all = [...devices, ...(pytorch === undefined ? [] : [pytorch])];
    const best = bestCeilings(all.map(({ ceilings }) => ceilings));
    const ceilings = { ...best, productFlopsPerExponential: best.productGigaflops / best.gigaexponentialsPerSecond };
    const report = { date: new Date().toISOString(), machine: await inspectProcessor(), size, ceilings, devices };
    showBench(output, { ...report, ...(pytorch === undefined ? {} : { pytorch }) });
    output.result({ ...report, pytorch: pytorch ?? null });
  });
};

/** Of all devices, those that do not work here are passed over, with the reason. */
function passOver(output: Output, name: string, error: unknown): void {
  if (!(error instanceof SluiceError && error.code === 'device')) throw error;
  output.progress(`Not ${name}: ${error.problem}`);
}
