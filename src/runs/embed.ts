import { EventLoop } from '../base/event-loop.js';
import type { Marks } from '../data/marks.js';
import { lengthBatches, pad } from '../data/sequences.js';
import type { Tokenizer } from '../data/tokenizer.js';
import type { Device } from '../devices/device.js';
import { Mode } from '../layers/mode.js';
import { type Encoder, firstVectors, meanVectors, paddedLayout } from '../models/encoder.js';
import { noGrad, scope, tensor } from '../tensor/index.js';
import type { Embedded, EmbedOptions } from './task.js';

/** Tokens of texts that are read at a time. */
const tokensAtOnce = 16_384;

/** An encoder with the tokenizer that it reads by. */
export interface Reader {
  readonly device: Device;
  readonly model: Encoder;
  readonly tokenizer: Tokenizer;
  readonly marks: Marks;
}

/** The tokens of a text between its marks; of a longer one the first that fit. */
export function markedText({ model, tokenizer, marks }: Reader, text: string): Int32Array {
  const ids = tokenizer.encode(text).subarray(0, model.maxPositions - 2);
  return Int32Array.of(marks.start, ...ids, marks.end);
}

/** A vector for each text, whatever texts stand beside it. Source: Reimers 2019, arXiv:1908.10084, for the mean. */
export async function embed(reader: Reader, options: EmbedOptions): Promise<Embedded> {
  const { device, model, tokenizer } = reader;
  const { texts, batch, pooling, normalize, signal } = options;
  const sequences = texts.map((text) => markedText(reader, text));
  const cut = texts.filter((text) => tokenizer.encode(text).length > model.maxPositions - 2).length;
  const lengths = Int32Array.from(sequences, ({ length }) => length);
  const vectors: Float32Array[] = texts.map(() => new Float32Array(0));
  const eventLoop = new EventLoop();
  const pool = pooling === 'mean' ? meanVectors : firstVectors;
  for (const indices of lengthBatches(lengths, { batch, steps: tokensAtOnce })) {
    await eventLoop.look(signal);
    const { ids, count, length } = pad(Array.from(indices, (i) => sequences[i] ?? []));
    const { spans } = paddedLayout(
      Int32Array.from(indices, (i) => lengths[i] ?? 0),
      length,
    );
    const pooled = scope(device, () =>
      noGrad(() => {
        const tokens = tensor(device, ids, [count, length], { dtype: 'int32' });
        return pool(model.encode(tokens, Mode.evaluation(), { spans }), spans).keep();
      }),
    );
    const values = Float32Array.from(await pooled.toArray());
    pooled.dispose();
    indices.forEach((index, row) => {
      const vector = values.slice(row * model.hiddenSize, (row + 1) * model.hiddenSize);
      vectors[index] = normalize ? ofLengthOne(vector) : vector;
    });
  }
  return { dim: model.hiddenSize, vectors, cut };
}

/** Zeros stay zeros. */
function ofLengthOne(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((value) => value / length);
}
