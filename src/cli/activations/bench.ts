import type { Device } from '../../devices/device.js';
import type { Speed } from '../../experiments/formula-speed.js';
import type { Register } from '../command.js';
import { type CommonOptions, common, integerIn, withDevice } from '../options.js';
import { Output } from '../output.js';

interface BenchOptions extends CommonOptions {
  readonly elements: number;
  readonly repetitions: number;
}

export const registerBench: Register = (family, context) => {
  common(
    family
      .command('bench')
      .description('How fast values and gradients are on a device, beside a plain copy.')
      .argument('[name...]', 'names, aliases, or formulas in x; all of the catalogue by default')
      .option('--elements <number>', 'numbers in the array', integerIn({ minimum: 1, maximum: 2 ** 28 }), 2 ** 22)
      .option('--repetitions <number>', 'timed passes, of which the median counts', integerIn({ minimum: 1 }), 9),
    'quiet',
    'device',
    'threads',
  ).action(async (names: readonly string[], options: BenchOptions) => {
    const output = new Output(context.terminal, options);
    await withDevice(output, options, (device) => bench(device, names, options, output));
  });
};

async function bench(device: Device, names: readonly string[], options: BenchOptions, output: Output): Promise<void> {
  const [{ catalogue }, { formulaOf }, { copySpeed, formulaSpeed }] = await Promise.all([
    import('../../activations/catalogue.js'),
    import('./arguments.js'),
    import('../../experiments/formula-speed.js'),
  ]);
  const formulas = names.length === 0 ? catalogue() : names.map((name) => formulaOf(name));
  output.progress(`${device.description}; ${options.elements} elements, medians of ${options.repetitions}`);
  const copy = await copySpeed(device, options);
  const results = [];
  for (const [i, formula] of formulas.entries()) {
    output.progress(`${i + 1}/${formulas.length} ${formula.name}`);
    results.push(await formulaSpeed(device, formula, options));
  }
  const cells = (speed: Speed): string[] => [
    speed.nanosecondsPerElement.toFixed(3),
    speed.gigaelementsPerSecond.toFixed(2),
  ];
  const right = (title: string) => ({ title, align: 'right' }) as const;
  output.table(
    [{ title: 'name' }, right('value ns'), right('Gelem/s'), right('gradient ns'), right('Gelem/s')],
    [
      ['(copy: the ceiling)', ...cells(copy), '', ''],
      ...results.map(({ name, value, gradient }) => [name, ...cells(value), ...cells(gradient)]),
    ],
  );
  const gigabytes = copy.gigaelementsPerSecond * 8;
  output.lines('', `A copy moves ${gigabytes.toFixed(1)} GB/s. Times are per element.`);
  output.result({
    device: device.name,
    description: device.description,
    elements: options.elements,
    repetitions: options.repetitions,
    copy: { ...copy, gigabytesPerSecond: gigabytes },
    results,
  });
}
