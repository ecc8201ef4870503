import { EventLoop } from '../base/event-loop.js';
import { chunks, type Examples, lengthsOf, selectExamples } from '../data/examples.js';
import { lengthBatches } from '../data/sequences.js';
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

/** Steps of sequences that are judged at a time. */
const stepsAtOnce = 16_384;

/** Asks a model about all examples, a batch at a time; sequences with others of about their length. */
export async function judgeExamples(
  device: Device,
  predict: (examples: Examples) => Prediction,
  examples: Examples,
  { batch, signal }: { readonly batch: number; readonly signal?: AbortSignal | undefined },
): Promise<JudgedExamples> {
  const { count, offsets } = examples;
  const eventLoop = new EventLoop();
  const batches =
    offsets === undefined
      ? chunks(
          Int32Array.from({ length: count }, (_, i) => i),
          batch,
        )
      : lengthBatches(lengthsOf(examples), { batch, steps: stepsAtOnce });
  let [total, all] = [0, new Float32Array(0)];
  for (const indices of batches) {
    await eventLoop.look(signal);
    const [outputs, loss] = scope(device, () =>
      noGrad(() => {
        const prediction = predict(selectExamples(examples, indices));
        return [prediction.outputs.keep(), prediction.loss.keep()] as const;
      }),
    );
    const rows = Float32Array.from(await outputs.toArray());
    total += await loss.item();
    outputs.dispose();
    loss.dispose();
    const width = rows.length / indices.length;
    if (all.length === 0) all = new Float32Array(count * width);
    indices.forEach((index, row) => {
      all.set(rows.subarray(row * width, (row + 1) * width), index * width);
    });
  }
  return { loss: total / count, outputs: all };
}
