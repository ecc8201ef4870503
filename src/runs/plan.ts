import { freemem } from 'node:os';
import { SluiceError } from '../base/errors.js';
import type { Device } from '../devices/device.js';
import type { ModelSummary } from '../models/summary.js';
import { full, scope } from '../tensor/index.js';
import type { Settings } from './settings.js';
import type { CausalDesign } from './tasks/causal-model-type.js';

/** What a run will cost, said before it starts. */
export interface Plan extends ModelSummary {
  readonly tokensPerStep: number;
  readonly memoryBytes: number;
  /** From this machine's speed at matrix products; the real rate is shown once it is known. */
  readonly estimatedSecondsPerStep: number;
}

/** What of a model's design says what it costs. */
export type Costed = Pick<CausalDesign, 'vocabSize' | 'summary' | 'trainingBytes'>;

/** The share of a product's speed that a whole training step reaches; measured, see docs/log.md. */
const stepEfficiency = 0.45;

/** @throws SluiceError `memory` for a run that cannot fit, before anything is allocated; it names what asks most. */
export function checkMemory(device: Device, design: Costed, settings: Settings): number {
  const { batch, context } = settings;
  const memoryBytes = design.trainingBytes(design.vocabSize, batch * context);
  return requireMemory(device, memoryBytes, () => memoryRemedy(design, settings));
}

/** @throws SluiceError `memory` for what does not fit here. */
export function requireMemory(device: Device, memoryBytes: number, remedy: () => string): number {
  const { addressableBytes = Number.POSITIVE_INFINITY } = device;
  const room = Math.min(process.availableMemory?.() ?? freemem(), addressableBytes);
  if (memoryBytes > room) {
    throw new SluiceError('memory', {
      rule: `a run fits in ${gibibytes(room)} of memory here`,
      received: `about ${gibibytes(memoryBytes)}`,
      remedy: remedy(),
    });
  }
  return memoryBytes;
}

/** What asks for most of the memory, and the flags that lower it, then those for the rest. */
function memoryRemedy(design: Costed, { batch, context }: Settings): string {
  const bytes = (size: number, tokens: number): number => design.trainingBytes(size, tokens);
  const { vocabSize } = design;
  const tokens = batch * context;
  const [all, weights] = [bytes(vocabSize, tokens), bytes(0, 0)];
  // Logits are a product of both; the larger of the two is what is out of proportion.
  const logits = all - bytes(0, tokens) - bytes(vocabSize, 0) + weights;
  const isWide = vocabSize > tokens;
  const parts = [
    {
      what: `the batch of ${batch} x ${context} tokens`,
      flags: batch === 1 ? '--context' : '--batch (and raise --accumulate) or --context',
      bytes: bytes(0, tokens) - weights + (isWide ? 0 : logits),
    },
    { what: 'the size of the model', flags: '--dim or --layers', bytes: weights },
    {
      what: `the vocabulary of ${vocabSize}`,
      flags: '--tokenizer bpe:SIZE',
      bytes: bytes(vocabSize, 0) - weights + (isWide ? logits : 0),
    },
  ].sort((a, b) => b.bytes - a.bytes);
  const [most, ...others] = parts;
  const rest = others.map(({ flags }) => flags).join('; ');
  return `Most of it, ${gibibytes(most?.bytes ?? 0)}, is for ${most?.what}: lower ${most?.flags} first; then ${rest}.`;
}

/** @throws SluiceError `memory` for a run that cannot fit. */
export async function plan(device: Device, design: Costed, settings: Settings): Promise<Plan> {
  const { batch, context, accumulate } = settings;
  const { summary } = design;
  const memoryBytes = checkMemory(device, design, settings);
  const tokensPerStep = batch * context * accumulate;
  const flops = summary.trainingFlopsPerToken * tokensPerStep;
  const estimatedSecondsPerStep = flops / (stepEfficiency * (await productSpeed(device)));
  return { ...summary, tokensPerStep, memoryBytes, estimatedSecondsPerStep };
}

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** FLOP/s of a matrix product on the device. */
async function productSpeed(device: Device): Promise<number> {
  const size = device.isInterpreted === true ? 48 : 384;
  return scope(device, async () => {
    const [a, b] = [full(device, [size, size], 0.5), full(device, [size, size], 0.5)];
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 5; i++) {
      const began = performance.now();
      a.matmul(b);
      await device.synchronize();
      best = Math.min(best, performance.now() - began);
    }
    return (2 * size ** 3) / (best / 1000);
  });
}
