import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';
import type { Device } from '../devices/device.js';
import { Mode } from '../layers/mode.js';
import type { CausalModel, TokenCache } from '../models/causal-model.js';
import { noGrad, scope, type Tensor, tensor } from '../tensor/index.js';

/**
 * A model that reads sequences of one length side by side, a token each at a time. When its positions are used up, it goes
 * on from the last half of them.
 */
export class Reader implements Disposable {
  readonly #device: Device;
  readonly #model: CausalModel;
  readonly #caches: readonly TokenCache[];
  #sequences: readonly (readonly number[])[];
  /** How many tokens at the end of each the model has not read. */
  #fresh: number;

  /** @throws SluiceError `shape` for a prompt that leaves no room in the model's positions. */
  constructor(device: Device, model: CausalModel, prompt: readonly number[]) {
    if (prompt.length >= model.maxPositions) {
      throw new SluiceError('shape', {
        rule: `a prompt leaves room in the model's ${plural(model.maxPositions, 'position')}`,
        received: plural(prompt.length, 'token'),
        remedy: 'Shorten the prompt, or train a model with a longer context.',
      });
    }
    this.#device = device;
    this.#model = model;
    this.#sequences = [prompt];
    this.#fresh = prompt.length;
    this.#caches = model.makeCaches(1);
  }

  /** Every sequence from its beginning, the prompt included. */
  get sequences(): readonly (readonly number[])[] {
    return this.#sequences;
  }

  /** Logits of the token after each sequence. */
  async logits(): Promise<(Float32Array | Float64Array | Int32Array)[]> {
    const { maxPositions } = this.#model;
    if ((this.#caches[0]?.length ?? 0) + this.#fresh > maxPositions) {
      for (const cache of this.#caches) cache.clear();
      this.#fresh = Math.ceil(maxPositions / 2);
    }
    const windows = this.#sequences.map((sequence) => sequence.slice(-this.#fresh));
    const logits = scope(this.#device, () => noGrad(() => this.#last(windows)));
    const values = await logits.toArray();
    const size = logits.shape[1] ?? 0;
    logits.dispose();
    this.#fresh = 0;
    return windows.map((_, row) => values.subarray(row * size, (row + 1) * size));
  }

  /** Nothing is awaited in here: what runs meanwhile keeps its own scopes. */
  #last(windows: readonly (readonly number[])[]): Tensor {
    const tokens = tensor(this.#device, windows.flat(), [windows.length, this.#fresh], { dtype: 'int32' });
    return this.#model.forward(tokens, Mode.evaluation(), this.#caches).select(1, this.#fresh - 1);
  }

  /** Goes on with these sequences, some of them perhaps several times, each with the token of its place. */
  extend(rows: readonly number[], tokens: readonly number[]): void {
    const isSame = rows.length === this.#sequences.length && rows.every((row, i) => row === i);
    if (!isSame) for (const cache of this.#caches) cache.take(rows);
    this.#sequences = rows.map((row, i) => [...(this.#sequences[row] ?? []), ...tokens.slice(i, i + 1)]);
    this.#fresh++;
  }

  dispose(): void {
    for (const cache of this.#caches) cache.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
