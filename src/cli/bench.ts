import type { Device } from '../devices/device.js';
import type { FormulaSpeed } from '../experiments/formula-speed.js';
import type { StepSpeed } from '../experiments/step-speed.js';
import type { Register } from './command.js';
import { type CommonOptions, common, withDevice } from './options.js';
import { Output } from './output.js';

interface BenchFlags extends CommonOptions {
  readonly quick?: boolean;
}

/** How large what is timed is; the training step has the demo's size unless this says otherwise. */
const sizes = {
  full: { elements: 2 ** 22, repetitions: 9, product: 1024, block: { tokens: 512, dim: 512, hidden: 1376 }, step: {} },
  quick: {
    ...{ elements: 1024, repetitions: 1, product: 32 },
    ...{ block: { tokens: 4, dim: 16, hidden: 48 }, step: { layers: 1, batch: 1 } },
  },
} as const;

/** `sluice bench`: this machine's ceilings, and what kernels and steps reach of them. */
export const registerBench: Register = (program, context) => {
  common(
    program
      .command('bench')
      .description('How fast this machine is: ceilings, activations, a feed-forward block, a training step.')
      .option('--quick', 'tiny sizes, to see that everything runs'),
    'quiet',
    'device',
    'threads',
  ).action(async (flags: BenchFlags) => {
    const output = new Output(context.terminal, flags);
    await withDevice(output, flags, (device) => bench(device, sizes[flags.quick === true ? 'quick' : 'full'], output));
  });
};

async function bench(device: Device, size: (typeof sizes)['full' | 'quick'], output: Output): Promise<void> {
  const [{ catalogue }, { activation }, { copySpeed, formulaSpeed }, steps] = await Promise.all([
    import('../activations/catalogue.js'),
    import('../activations/kinds.js'),
    import('../experiments/formula-speed.js'),
    import('../experiments/step-speed.js'),
  ]);
  const { repetitions } = size;
  output.progress(`${device.description}: ceilings`);
  const copy = await copySpeed(device, size);
  const exponential = await formulaSpeed(
    device,
    activation('exp', (x) => x.exp()),
    size,
  );
  const product = await steps.productSpeed(device, size.product, repetitions);
  const activations: FormulaSpeed[] = [];
  for (const formula of catalogue()) {
    output.progress(formula.name);
    activations.push(await formulaSpeed(device, formula, size));
  }
  output.progress('a feed-forward block and a training step');
  const feedForward = await steps.feedForwardSpeed(device, size.block, repetitions);
  const trainingStep = await steps.trainingSpeed(device, size.step, repetitions);
  const ceilings = {
    copyGigabytesPerSecond: 8 * copy.gigaelementsPerSecond,
    productGigaflops: product.gigaflops,
    gigaexponentialsPerSecond: exponential.value.gigaelementsPerSecond,
    productFlopsPerExponential: product.gigaflops / exponential.value.gigaelementsPerSecond,
  };
  output.panel([
    ['device', device.description],
    ['copy', `${ceilings.copyGigabytesPerSecond.toFixed(1)} GB/s (read and write)`],
    ['matrix product', `${product.gigaflops.toFixed(1)} GFLOP/s at ${size.product} cubed`],
    ['exponentials', `${ceilings.gigaexponentialsPerSecond.toFixed(2)} billion a second`],
    ['an exponential costs', `${ceilings.productFlopsPerExponential.toFixed(0)} FLOPs of a product`],
  ]);
  showActivations(output, activations, copy.nanosecondsPerElement);
  showSteps(
    output,
    { 'SwiGLU block, forward and backward': feedForward, "the demo's training step": trainingStep },
    product,
  );
  output.lines('', `The demo trains at ${trainingStep.tokensPerSecond.toFixed(0)} tokens per second.`);
  const { name, description, threads } = device;
  output.result({
    ...{ device: name, description, threads, size, ceilings, copy, exponential: exponential.value, product },
    ...{ activations, feedForward, trainingStep },
  });
}

const right = (title: string) => ({ title, align: 'right' }) as const;

function showActivations(output: Output, speeds: readonly FormulaSpeed[], copy: number): void {
  const cells = (nanoseconds: number): string[] => [nanoseconds.toFixed(3), (nanoseconds / copy).toFixed(1)];
  output.lines('');
  output.table(
    [{ title: 'activation' }, right('value ns'), right('copies'), right('gradient ns'), right('copies')],
    speeds.map(({ name, value, gradient }) => [
      name,
      ...cells(value.nanosecondsPerElement),
      ...cells(gradient.nanosecondsPerElement),
    ]),
  );
}

function showSteps(output: Output, steps: Readonly<Record<string, StepSpeed>>, product: StepSpeed): void {
  output.lines('');
  output.table(
    [{ title: 'step' }, right('ms'), right('GFLOP/s'), right('of the product')],
    Object.entries(steps).map(([name, { milliseconds, gigaflops }]) => [
      name,
      milliseconds.toFixed(1),
      gigaflops.toFixed(1),
      `${((100 * gigaflops) / product.gigaflops).toFixed(0)}%`,
    ]),
  );
}
