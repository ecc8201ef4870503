import { catalogue } from '../activations/catalogue.js';
import { type Activation, activation, type Gate } from '../activations/kinds.js';
import type { Device } from '../devices/device.js';
import { copySpeed, type FormulaSpeed, formulaSpeed, type SpeedOptions } from './formula-speed.js';
import {
  type BlockSize,
  type DemoChanges,
  demoModel,
  feedForwardSpeed,
  generationSpeed,
  type ModelSpeed,
  productSpeed,
  readSpeed,
  type StepSpeed,
  trainingSpeed,
} from './step-speed.js';

/** How large what is timed is; the training step has the demo's size unless this says otherwise. */
export interface BenchSize extends SpeedOptions {
  readonly product: number;
  /** Numbers read in one pass: more than caches hold. */
  readonly read: number;
  readonly block: BlockSize;
  readonly step: DemoChanges;
  /** Tokens generated. */
  readonly tokens: number;
}

/** What a device, or the best of several, can do at all. */
export interface Ceilings {
  /** Bytes read and written. */
  readonly copyGigabytesPerSecond: number;
  readonly readGigabytesPerSecond: number;
  readonly productGigaflops: number;
  readonly gigaexponentialsPerSecond: number;
}

export interface BlockSpeed extends StepSpeed {
  readonly name: string;
}

/** Everything that is measured of one device. */
export interface DeviceBench {
  readonly device: string;
  readonly description: string;
  readonly threads: number;
  readonly ceilings: Ceilings;
  readonly activations: readonly FormulaSpeed[];
  readonly blocks: readonly BlockSpeed[];
  readonly trainingStep: ModelSpeed;
  readonly generation: ModelSpeed;
}

const exponential = activation('exp', (x) => x.exp());
/** Plain blocks in use; every gate of the catalogue makes one besides. */
const plain = new Set(['relu', 'relu2', 'gelu', 'silu']);

/** The formulas that feed-forward blocks are timed with. */
export const blockFormulas = (): readonly (Gate | Activation)[] =>
  catalogue().filter(
    (formula): formula is Gate | Activation =>
      formula.kind === 'gate' || (formula.kind === 'activation' && plain.has(formula.name)),
  );

/** Measures a device. @param onProgress hears what comes next. */
export async function benchDevice(
  device: Device,
  size: BenchSize,
  onProgress: (what: string) => void,
): Promise<DeviceBench> {
  const { repetitions } = size;
  onProgress('ceilings');
  const ceilings = {
    copyGigabytesPerSecond: 8 * (await copySpeed(device, { ...size, elements: size.read })).gigaelementsPerSecond,
    readGigabytesPerSecond: await readSpeed(device, size.read, repetitions),
    productGigaflops: (await productSpeed(device, size.product, repetitions)).gigaflops,
    gigaexponentialsPerSecond: (await formulaSpeed(device, exponential, size)).value.gigaelementsPerSecond,
  };
  const activations: FormulaSpeed[] = [];
  for (const formula of catalogue()) {
    onProgress(formula.name);
    activations.push(await formulaSpeed(device, formula, size));
  }
  const blocks: BlockSpeed[] = [];
  for (const formula of blockFormulas()) {
    onProgress(`a block with ${formula.name}`);
    blocks.push({ name: formula.name, ...(await feedForwardSpeed(device, size.block, repetitions, formula)) });
  }
  onProgress('a training step and generation');
  const demo = demoModel(size.step);
  const trainingStep = await trainingSpeed(device, demo, repetitions);
  const generation = await generationSpeed(device, demo, size.tokens);
  const { name, description, threads } = device;
  return { device: name, description, threads, ceilings, activations, blocks, trainingStep, generation };
}

/** The best of each. */
export function bestCeilings(all: readonly Ceilings[]): Ceilings {
  const best = (pick: (ceilings: Ceilings) => number): number => Math.max(...all.map(pick));
  return {
    copyGigabytesPerSecond: best((one) => one.copyGigabytesPerSecond),
    readGigabytesPerSecond: best((one) => one.readGigabytesPerSecond),
    productGigaflops: best((one) => one.productGigaflops),
    gigaexponentialsPerSecond: best((one) => one.gigaexponentialsPerSecond),
  };
}
