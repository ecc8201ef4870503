import { catalogue } from '../activations/catalogue.js';
import type { BenchSize, Ceilings } from './device-bench.js';
import { type PeerCase, PytorchPeer } from './pytorch-peer.js';
import { demoModel, type StepSpeed, stepSpeed } from './step-speed.js';

/** What is measured of PyTorch, at its default; ceilings and products write to tensors that are there. */
export interface PeerBench {
  readonly description: string;
  readonly ceilings: Ceilings;
  /** Nanoseconds an element of value and gradient together, by the names that our catalogue has for them. */
  readonly activations: Readonly<Record<string, number>>;
  /** The SwiGLU block, forward and backward. */
  readonly block: StepSpeed;
  readonly trainingMilliseconds: number;
  readonly generationMilliseconds: number;
}

/** Times cases in a process of their own. */
async function timesOf(
  module: string,
  way: string,
  items: readonly PeerCase[],
): Promise<{ description: string; milliseconds: (number | undefined)[] } | undefined> {
  const peer = await PytorchPeer.start(module, way);
  if (peer === undefined) return undefined;
  const milliseconds: (number | undefined)[] = [];
  try {
    for (const item of items) milliseconds.push((await peer.measure(item))?.median);
  } finally {
    peer.stop();
  }
  return { description: peer.description, milliseconds };
}

/** Measures PyTorch where SLUICE_PYTHON names a Python that has it, else undefined. */
export async function benchPytorch(
  size: BenchSize,
  onProgress: (what: string) => void,
): Promise<PeerBench | undefined> {
  const timing = { repetitions: size.repetitions, minimum: 0 };
  const { read, product, elements, block } = size;
  // Its rows are 8,192 wide.
  const ceilings = await timesOf('ceilings', 'out', [
    { work: 'copy', elements: Math.max(8192, read), timing },
    { work: 'read', elements: Math.max(8192, read), timing },
    { work: 'product', size: product, timing },
    { work: 'exp', elements: Math.max(8192, elements), timing },
  ]);
  if (ceilings === undefined) return undefined;
  const [copy = Number.NaN, reading = Number.NaN, multiply = Number.NaN, exponential = Number.NaN] =
    ceilings.milliseconds;
  onProgress('activations');
  const names = catalogue().map(({ name }) => name);
  const cases = names.map((name) => ({ function: name, mode: 'y and dx', elements, timing }));
  const activations = (await timesOf('activations', 'eager', cases))?.milliseconds ?? [];
  onProgress('a block, a training step and generation');
  const [swiglu = Number.NaN] = (await timesOf('feed_forward', 'eager', [{ ...block, timing }]))?.milliseconds ?? [];
  const { settings, config } = demoModel(size.step);
  const { dim, layers, heads, kvHeads, hidden, context, batch } = settings;
  const model = { vocabulary: config.vocabSize, dim, layers, heads, kvHeads, hidden, context };
  const [step = Number.NaN] =
    (await timesOf('training_step', 'eager', [{ ...model, batch, timing }]))?.milliseconds ?? [];
  const [token = Number.NaN] =
    (await timesOf('generate', 'eager', [{ ...model, tokens: size.tokens, warmups: 1 }]))?.milliseconds ?? [];
  return {
    description: ceilings.description,
    ceilings: {
      copyGigabytesPerSecond: (8 * Math.max(8192, read)) / (copy * 1e6),
      readGigabytesPerSecond: (4 * Math.max(8192, read)) / (reading * 1e6),
      productGigaflops: (2 * product ** 3) / (multiply * 1e6),
      gigaexponentialsPerSecond: Math.max(8192, elements) / (exponential * 1e6),
    },
    activations: Object.fromEntries(
      names.flatMap((name, i) => {
        const time = activations[i];
        return time === undefined ? [] : [[name, (time * 1e6) / elements]];
      }),
    ),
    block: stepSpeed(swiglu, 18 * block.tokens * block.dim * block.hidden),
    trainingMilliseconds: step,
    generationMilliseconds: token,
  };
}
