import { EventLoop } from '../base/event-loop.js';
import { type Examples, selectExamples } from '../data/examples.js';
import type { Device } from '../devices/device.js';
import { noGrad, scope, type Tensor } from '../tensor/index.js';

/** What a model says of examples, and how wrong that is, added up. */
export interface Prediction {
  readonly outputs: Tensor;
  readonly loss: Tensor;
}

export interface JudgedExamples {
  /** The mean per example. */
  readonly loss: number;
  /** [count, width of an output], row by row. */
  readonly outputs: Float32Array;
}

/** Asks a model about all examples, a batch at a time. */
export async function judgeExamples(
  device: Device,
  predict: (examples: Examples) => Prediction,
  examples: Examples,
  { batch, signal }: { readonly batch: number; readonly signal?: AbortSignal | undefined },
): Promise<JudgedExamples> {
  const eventLoop = new EventLoop();
  const parts: ArrayLike<number>[] = [];
  let total = 0;
  for (let start = 0; start < examples.count; start += batch) {
    await eventLoop.look(signal);
    const length = Math.min(batch, examples.count - start);
    const some = selectExamples(
      examples,
      Int32Array.from({ length }, (_, i) => start + i),
    );
    const [outputs, loss] = scope(device, () =>
      noGrad(() => {
        const prediction = predict(some);
        return [prediction.outputs.keep(), prediction.loss.keep()] as const;
      }),
    );
    parts.push(await outputs.toArray());
    total += await loss.item();
    outputs.dispose();
    loss.dispose();
  }
  const outputs = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    outputs.set(part, at);
    at += part.length;
  }
  return { loss: total / examples.count, outputs };
}
