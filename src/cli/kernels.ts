import { resolve } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';
import type { Register } from './command.js';
import { type CommonOptions, common } from './options.js';
import { Output, quoted } from './output.js';
import { UsageError } from './usage.js';

interface BuildFlags extends CommonOptions {
  readonly march?: string;
  readonly out?: string;
}

/** `sluice kernels build`: compiled kernels for machines that have no compiler. */
export const registerKernels: Register = (program, context) => {
  const family = program.command('kernels').description('Compiled kernels of the native device.');
  common(
    family
      .command('build')
      .description(
        'Compiles what training the presets and evaluating the catalogue need, for machines without a compiler.',
      )
      .option('--march <name>', "required: the kind of processor, as the compiler's -march names it: x86-64-v3")
      .option('--out <folder>', 'where to; by default where this user finds it'),
    'quiet',
  ).action(async (flags: BuildFlags) => {
    const output = new Output(context.terminal, flags);
    const { march } = flags;
    if (march === undefined) throw noMarch();
    const [{ bakeKernels }, { bakedFolder }] = await Promise.all([
      import('../experiments/bake.js'),
      import('../devices/native/baked.js'),
    ]);
    const folder = resolve(flags.out ?? bakedFolder(march));
    const baking = await bakeKernels(folder, march, () =>
      output.progress(`Compiling for ${march}; this takes seconds to minutes.`),
    );
    const size = (baking.bytes / 2 ** 20).toFixed(1);
    output.lines(
      `${plural(baking.kernels, 'kernel')} in ${plural(baking.libraries, 'file')}, ${size} MiB: ${quoted(folder)}`,
      ...(flags.out === undefined ? [] : [`Machines find them by SLUICE_KERNELS=${quoted(folder)}.`]),
    );
    output.result(baking);
  });
};

const noMarch = (): UsageError =>
  new UsageError(
    new SluiceError('argument', {
      rule: 'kernels are built for a kind of processor',
      received: 'no --march',
      remedy: 'Give --march native for this one, or x86-64-v3 for most of the last ten years.',
    }),
  );
