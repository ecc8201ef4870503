/** What a feed-forward block costs, as its own layer and expressions tell: nothing here knows one block from another. */
import { randomKey } from '../base/random.js';
import type { Device } from '../devices/device.js';
import { type Launch, ProfiledDevice } from '../devices/profile.js';
import { type BlockFormula, blockOf } from '../layers/feed-forward.js';
import { Initializer } from '../layers/initialization.js';
import { Mode } from '../layers/mode.js';
import { memory, rand, scope, type Tensor } from '../tensor/index.js';

export interface BlockShape {
  readonly dim: number;
  readonly hidden: number;
}

/** What one direction costs for each token. */
export interface PassCost {
  /** Of products and expressions together; a special function counts as one. */
  readonly flops: number;
  /** Exponentials and logarithms, once special functions are expanded. */
  readonly exponentials: number;
}

export interface BlockCost {
  readonly parameters: number;
  /** Bytes for each token that autograd keeps for the backward pass, beside the block's input and output. */
  readonly keptBytes: number;
  readonly forward: PassCost;
  readonly backward: PassCost;
}

export interface BlockTime {
  /** Medians, in microseconds for each token. */
  readonly forward: number;
  readonly backward: number;
}

type Phase = 'forward' | 'backward';

/** A block with an input and a gradient to go through it. */
class Passes implements Disposable {
  readonly parameters: number;
  readonly #device: ProfiledDevice<Phase>;
  readonly #leaves: readonly Tensor[];
  readonly #gradient: Tensor;
  readonly #run: (x: Tensor) => Tensor;

  constructor(device: Device, formula: BlockFormula, { dim, hidden }: BlockShape, tokens: number) {
    this.#device = new ProfiledDevice<Phase>(device, 'forward');
    const block = blockOf(new Initializer(this.#device, 0), dim, hidden, formula);
    const draw = (step: number): Tensor =>
      rand(this.#device, [tokens, dim], randomKey(0, 'evaluation', step), { low: -1, high: 1 }).keep();
    const x = draw(0);
    x.requiresGrad = true;
    this.#leaves = [x, ...block.parameters()];
    this.#gradient = draw(1);
    const mode = Mode.training(0, 0);
    this.#run = (input) => block.forward(input, mode);
    this.parameters = block.parameterCount;
  }

  /** Goes forward and backward once; `between` is told what is live as the one is done and the other not begun. */
  async once(between: (x: Tensor, output: Tensor) => Promise<void> | void): Promise<void> {
    const [x] = this.#leaves;
    if (x === undefined) return;
    await scope(this.#device, async () => {
      for (const leaf of this.#leaves) leaf.zeroGrad();
      this.#device.place = 'forward';
      const output = this.#run(x);
      await between(x, output);
      this.#device.place = 'backward';
      output.backward(this.#gradient);
      await this.#device.synchronize();
    });
  }

  /** What the device is asked for by one pass each way. */
  async record(): Promise<{ readonly launches: readonly Launch<Phase>[]; readonly keptBytes: number }> {
    const launches: Launch<Phase>[] = [];
    const before = memory(this.#device).liveBytes;
    let keptBytes = 0;
    this.#device.launches = launches;
    await this.once((_, output) => {
      keptBytes = memory(this.#device).liveBytes - before - output.storage.buffer.bytes;
    });
    this.#device.launches = undefined;
    return { launches, keptBytes };
  }

  synchronize(): Promise<void> {
    return this.#device.synchronize();
  }

  [Symbol.dispose](): void {
    for (const leaf of this.#leaves) leaf.dispose();
    this.#gradient.dispose();
  }
}

/** Counts what a block asks of a device in one pass each way, and what is live in between. */
export async function blockCost(device: Device, formula: BlockFormula, shape: BlockShape): Promise<BlockCost> {
  const tokens = 1;
  using passes = new Passes(device, formula, shape, tokens);
  const { launches, keptBytes } = await passes.record();
  const cost = (phase: Phase): PassCost => {
    const works = launches.filter(({ place }) => place === phase).map(({ work }) => work());
    return {
      flops: works.reduce((sum, { flops }) => sum + flops, 0) / tokens,
      exponentials: works.reduce((sum, { exponentials }) => sum + exponentials, 0) / tokens,
    };
  };
  const { parameters } = passes;
  return { parameters, keptBytes: keptBytes / tokens, forward: cost('forward'), backward: cost('backward') };
}

/** Times a block; the first passes, which compile its kernels, are not timed. */
export async function blockTime(
  device: Device,
  formula: BlockFormula,
  shape: BlockShape,
  { tokens, repetitions }: { readonly tokens: number; readonly repetitions: number },
): Promise<BlockTime> {
  using passes = new Passes(device, formula, shape, tokens);
  const [forward, backward]: [number[], number[]] = [[], []];
  const warmUp = Math.min(2, repetitions);
  for (let i = -warmUp; i < repetitions; i++) {
    const began = performance.now();
    let between = began;
    await passes.once(async () => {
      await passes.synchronize();
      between = performance.now();
    });
    if (i < 0) continue;
    forward.push(between - began);
    backward.push(performance.now() - between);
  }
  const perToken = (times: number[]): number =>
    (1000 * (times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN)) / tokens;
  return { forward: perToken(forward), backward: perToken(backward) };
}
