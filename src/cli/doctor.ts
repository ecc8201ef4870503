import { plural } from '../base/plural.js';
import type { Register } from './command.js';
import { type CommonOptions, common } from './options.js';
import { Output, quoted } from './output.js';

interface DoctorFlags extends CommonOptions {
  readonly clearCache?: boolean;
}

/** `sluice doctor`: what this machine has, what is missing, and what to do. */
export const registerDoctor: Register = (program, context) => {
  common(
    program
      .command('doctor')
      .description('What this machine has for Sluice, what is missing and what to do.')
      .option('--clear-cache', 'remove what the native device has compiled; kernels that were made ahead stay'),
  ).action(async (options: DoctorFlags) => {
    const output = new Output(context.terminal, options);
    if (options.clearCache === true) return clear(output);
    const { inspectMachine } = await import('../experiments/machine.js');
    const report = await inspectMachine();
    const { native, wasm, memory, devices, advice } = report;
    const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
    const has = (it: boolean): string => (it ? output.style('green', 'yes') : output.style('yellow', 'no'));
    output.panel([
      ['Node', `${report.node}, ${report.platform}`],
      ['processor', `${report.processor}, ${plural(report.threads, 'thread')}`],
      ['memory', `${gigabytes(memory.total)}, ${gigabytes(memory.free)} free`],
      ...native.map(
        ({ part, description }) =>
          [part === 'compiler' ? 'C compiler' : part === 'kernels' ? 'kernels made ahead' : part, description] as const,
      ),
      ['WebAssembly SIMD', has(wasm.simd)],
      ['relaxed SIMD', has(wasm.relaxedSimd)],
      ['shared memory', has(wasm.sharedMemory)],
    ]);
    output.lines('');
    output.table(
      [{ title: 'device' }, { title: 'works' }, { title: 'what it found' }],
      devices
        .filter(({ planned }) => !planned)
        .map(({ name, works, description }) => [name, works ? 'yes' : 'no', description]),
    );
    const planned = devices.filter((device) => device.planned).map(({ name }) => name);
    if (planned.length > 0) output.lines('', `Planned for a later version: ${planned.join(', ')}.`);
    output.lines('', ...(advice.length === 0 ? ['Nothing is missing.'] : advice));
    output.result(report);
    // What a variable names wrongly ends other commands, too.
    if (native.some((part) => !part.found && part.isWrong === true)) context.exitCode = 1;
  });
};

async function clear(output: Output): Promise<void> {
  const { clearCache, sizeText } = await import('../devices/native/inspect.js');
  const cleared = clearCache();
  const size = `${plural(cleared.files, 'compiled file')}, ${sizeText(cleared.bytes)}`;
  output.lines(`Removed ${size}: ${quoted(cleared.folder)}`);
  output.result(cleared);
}
