import type { Device } from '../devices/device.js';
import type { FormulaSpeed } from '../experiments/formula-speed.js';
import { type CommonOptions, common, withDevice } from './options.js';
import { Output } from './output.js';
import type { Register } from './program.js';

interface BenchFlags extends CommonOptions {
  readonly quick?: boolean;
}

/** How large what is timed is. */
const sizes = {
  full: { elements: 2 ** 22, repetitions: 9, product: 1024, tokens: 512, dim: 512, hidden: 1376, layers: 4, batch: 8 },
  quick: { elements: 2 ** 10, repetitions: 1, product: 32, tokens: 4, dim: 16, hidden: 48, layers: 1, batch: 1 },
} as const;
type Sizes = (typeof sizes)[keyof typeof sizes];

/** A piece of work, how long it takes, and its speed beside that of the plain product. */
interface Work {
  readonly milliseconds: number;
  readonly gigaflops: number;
}

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
    await withDevice(flags, (device) => bench(device, sizes[flags.quick === true ? 'quick' : 'full'], output));
  });
};

async function bench(device: Device, size: Sizes, output: Output): Promise<void> {
  const [{ catalogue }, { copySpeed, formulaSpeed }, { activation }] = await Promise.all([
    import('../activations/catalogue.js'),
    import('../experiments/formula-speed.js'),
    import('../activations/kinds.js'),
  ]);
  output.progress(`${device.description}: ceilings`);
  const copy = await copySpeed(device, size);
  const exponential = await formulaSpeed(
    device,
    activation('exp', (x) => x.exp()),
    size,
  );
  const product = await timeProduct(device, size);
  const activations: FormulaSpeed[] = [];
  for (const formula of catalogue()) {
    output.progress(formula.name);
    activations.push(await formulaSpeed(device, formula, size));
  }
  output.progress('a feed-forward block and a training step');
  const feedForward = await timeFeedForward(device, size);
  const { tokens, ...trainingStep } = await timeTrainingStep(device, size);
  const ceilings = {
    copyGigabytesPerSecond: 8 * copy.gigaelementsPerSecond,
    productGigaflops: product.gigaflops,
    gigaexponentialsPerSecond: exponential.value.gigaelementsPerSecond,
    productFlopsPerExponential: product.gigaflops / exponential.value.gigaelementsPerSecond,
  };
  const tokensPerSecond = (1000 * tokens) / trainingStep.milliseconds;
  showCeilings(output, device, ceilings, size);
  showActivations(output, activations, copy.nanosecondsPerElement);
  showSteps(
    output,
    { 'SwiGLU block, forward and backward': feedForward, 'training step of the demo': trainingStep },
    product,
  );
  output.lines('', `The training step is ${tokensPerSecond.toFixed(0)} tokens per second.`);
  const { name, description, threads } = device;
  const steps = { feedForward, trainingStep: { ...trainingStep, tokensPerSecond } };
  output.result({
    device: name,
    description,
    threads,
    size,
    ceilings,
    copy,
    exponential: exponential.value,
    activations,
    ...steps,
  });
}

/** The median time of a call in milliseconds, after one that is not timed. */
async function median(device: Device, repetitions: number, call: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i <= repetitions; i++) {
    const began = performance.now();
    await call();
    await device.synchronize();
    if (i > 0) times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

const work = (milliseconds: number, flops: number): Work => ({ milliseconds, gigaflops: flops / (milliseconds * 1e6) });

async function timeProduct(device: Device, { product, repetitions }: Sizes): Promise<Work> {
  const [{ rand, scope }, { randomKey }] = await Promise.all([
    import('../tensor/index.js'),
    import('../base/random.js'),
  ]);
  const [a, b] = [0, 1].map((step) => rand(device, [product, product], randomKey(0, 'evaluation', step)));
  if (a === undefined || b === undefined) throw new TypeError('a product has two operands');
  const milliseconds = await median(device, repetitions, () => scope(device, () => void a.matmul(b)));
  for (const tensor of [a, b]) tensor.dispose();
  return work(milliseconds, 2 * product ** 3);
}

async function timeFeedForward(device: Device, { tokens, dim, hidden, repetitions }: Sizes): Promise<Work> {
  const [{ rand, scope }, { randomKey }, { GatedFeedForward }, { Initializer }, { Mode }, { swiglu }] =
    await Promise.all([
      import('../tensor/index.js'),
      import('../base/random.js'),
      import('../layers/feed-forward.js'),
      import('../layers/initialization.js'),
      import('../layers/mode.js'),
      import('../activations/gates.js'),
    ]);
  const block = new GatedFeedForward(new Initializer(device, 0), dim, hidden, swiglu);
  const [x, gradient] = [0, 1].map((step) => rand(device, [tokens, dim], randomKey(0, 'evaluation', step)));
  if (x === undefined || gradient === undefined) throw new TypeError('a pass has an input and a gradient');
  x.requiresGrad = true;
  const leaves = [x, ...block.parameters()];
  const milliseconds = await median(device, repetitions, () =>
    scope(device, () => {
      for (const leaf of leaves) leaf.zeroGrad();
      block.forward(x, Mode.evaluation()).backward(gradient);
    }),
  );
  for (const tensor of [...leaves, gradient]) tensor.dispose();
  return work(milliseconds, 18 * tokens * dim * hidden);
}

async function timeTrainingStep(
  device: Device,
  { layers, batch, repetitions }: Sizes,
): Promise<Work & { tokens: number }> {
  const [
    { complete, presetNamed },
    { configOf },
    { Initializer },
    { Llama },
    { summarize },
    { Trainer },
    { MemoryTokens },
  ] = await Promise.all([
    import('../runs/presets.js'),
    import('../runs/model.js'),
    import('../layers/initialization.js'),
    import('../models/llama.js'),
    import('../models/summary.js'),
    import('../training/trainer.js'),
    import('../data/token-source.js'),
  ]);
  const settings = complete({ ...presetNamed('demo'), layers, batch });
  const config = configOf(settings, 2048);
  const { context, seed } = settings;
  const source = new MemoryTokens(Array.from({ length: 8 * context }, (_, i) => (i * i) % 2048));
  const model = new Llama(new Initializer(device, seed), config);
  const trainer = new Trainer(device, model, source, { batch, context, accumulate: 1, seed });
  const milliseconds = await median(device, repetitions, () => trainer.step(settings.lr));
  const tokens = batch * context;
  return { ...work(milliseconds, tokens * summarize(config, context).trainingFlopsPerToken), tokens };
}

const right = (title: string) => ({ title, align: 'right' }) as const;

function showCeilings(output: Output, device: Device, ceilings: Readonly<Record<string, number>>, size: Sizes): void {
  const { copyGigabytesPerSecond = 0, productGigaflops = 0, gigaexponentialsPerSecond = 0 } = ceilings;
  output.panel([
    ['device', device.description],
    ['copy', `${copyGigabytesPerSecond.toFixed(1)} GB/s (read and write)`],
    ['matrix product', `${productGigaflops.toFixed(1)} GFLOP/s at ${size.product} cubed`],
    ['exponentials', `${gigaexponentialsPerSecond.toFixed(2)} billion a second`],
    ['an exponential costs', `${(productGigaflops / gigaexponentialsPerSecond).toFixed(0)} FLOPs of a product`],
  ]);
}

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

function showSteps(output: Output, steps: Readonly<Record<string, Work>>, product: Work): void {
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
