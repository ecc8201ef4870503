import { availableParallelism, loadavg } from 'node:os';
import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';
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
    // As large as threads and caches need to show, and few passes.
    ...{ elements: 2 ** 18, read: 2 ** 22, repetitions: 2, product: 256, tokens: 8 },
    ...{ block: { tokens: 64, dim: 128, hidden: 344 }, step: { layers: 1, batch: 1 } },
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
      .option('--quick', 'smaller sizes and fewer passes: rough figures'),
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
    // Where lines stay, those of every formula would bury the tables.
    const tell = (what: string): void => {
      if (context.terminal.interactive) output.progress(what);
    };
    if (flags.quick === true) output.progress('Rough figures: smaller sizes and fewer passes than without --quick.');
    warnOfLoad(output);
    const devices: DeviceBench[] = [];
    const bench = async (device: string, isAsked: boolean): Promise<void> => {
      const measured = await withDevice(output, { ...flags, device }, async (opened) => {
        if (opened.isInterpreted === true && !isAsked) return undefined;
        if (!context.terminal.interactive) output.progress(`${opened.name}: measuring`);
        return benchDevice(opened, size, (what) => tell(`${opened.name}: ${what}`));
      });
      if (measured !== undefined) devices.push(measured);
    };
    if (flags.device !== undefined) await bench(flags.device, true);
    else for (const name of deviceNames) await bench(name, false).catch((error) => passOver(output, name, error));
    const pytorch = await benchPytorch(size, (what) => tell(`PyTorch: ${what}`));
    const all = [...devices, ...(pytorch === undefined ? [] : [pytorch])];
    const best = bestCeilings(all.map(({ ceilings }) => ceilings));
    const ceilings = { ...best, productFlopsPerExponential: best.productGigaflops / best.gigaexponentialsPerSecond };
    const report = { date: new Date().toISOString(), machine: await inspectProcessor(), size, ceilings, devices };
    showBench(output, { ...report, ...(pytorch === undefined ? {} : { pytorch }) });
    output.result({ ...report, pytorch: pytorch ?? null });
  });
};

/** Timings are of what other programs leave. */
function warnOfLoad(output: Output): void {
  const [load = 0] = loadavg();
  const threads = availableParallelism();
  if (load < threads / 2) return;
  output.progress(
    `Other programs keep ${load.toFixed(1)} of ${plural(threads, 'thread')} busy: figures will be too low.`,
  );
}

/** Of all devices, those that do not work here are passed over, with the reason. */
function passOver(output: Output, name: string, error: unknown): void {
  if (!(error instanceof SluiceError && error.code === 'device')) throw error;
  output.progress(`Not ${name}: ${error.problem}`);
}
