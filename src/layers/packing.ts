import { SluiceError } from '../base/errors.js';
import type { Device } from '../devices/device.js';
import { type Tensor, tensor } from '../tensor/index.js';
import { scatter } from '../tensor/operations/indexing.js';

/** How the steps of a batch of sequences lie behind each other, [rows, width], so that a step is a block of rows. */
export interface SequenceRows {
  /** The number of sequences at each step, which never rises. */
  readonly sizes: readonly number[];
  /** [batch, time, width] to [rows, width]. */
  pack(x: Tensor): Tensor;
  /** [rows, width] to [batch, time, width], with 0 as padding. */
  unpack(x: Tensor): Tensor;
  /** Rows with each sequence turned around; of itself the inverse. */
  turn(x: Tensor): Tensor;
  /** What each sequence has at its last step, [batch, width]. */
  last(x: Tensor): Tensor;
  /** [batch, width] in the order that the sequences have in each step. */
  sort(state: Tensor): Tensor;
}

/** The rows of sequences of these lengths; of all that the time has where no lengths are given. */
export const sequenceRows = (x: Tensor, lengths: readonly number[] | undefined): SequenceRows =>
  lengths === undefined ? new AlignedRows(x) : new PackedRows(x, lengths);

const indices = (device: Device, values: readonly number[]): Tensor => tensor(device, Int32Array.from(values));

/** Sequences that are all as long as the time: each step has the whole batch. */
class AlignedRows implements SequenceRows {
  readonly sizes: readonly number[];
  readonly #batch: number;

  constructor({ shape: [batch = 1, time = 1] }: Tensor) {
    this.#batch = batch;
    this.sizes = new Array<number>(time).fill(batch);
  }

  pack(x: Tensor): Tensor {
    return x.transpose(0, 1).reshape([-1, x.shape.at(-1) ?? 1]);
  }

  unpack(x: Tensor): Tensor {
    return x.view([-1, this.#batch, x.shape.at(-1) ?? 1]).transpose(0, 1);
  }

  turn(x: Tensor): Tensor {
    const steps = this.sizes.length;
    const places = Array.from({ length: steps }, (_, step) => steps - 1 - step);
    return x.view([steps, -1]).gather(indices(x.device, places)).view(x.shape);
  }

  last(x: Tensor): Tensor {
    return x.slice(0, -this.#batch);
  }

  sort(state: Tensor): Tensor {
    return state;
  }
}

/** Sequences without their padding, as PyTorch's packed sequences have them, longest first: no padding is ever read. */
class PackedRows implements SequenceRows {
  readonly sizes: readonly number[];
  readonly #time: number;
  readonly #lengths: readonly number[];
  /** The sequences, longest first, and the place of each among them. */
  readonly #order: readonly number[];
  readonly #ranks: readonly number[];
  /** Where each step begins. */
  readonly #starts: readonly number[];

  constructor({ shape: [batch = 1, time = 1] }: Tensor, lengths: readonly number[]) {
    checkLengths(batch, time, lengths);
    this.#time = time;
    this.#lengths = lengths;
    this.#order = [...lengths.keys()].sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0) || a - b);
    this.#ranks = [...lengths.keys()].map((sequence) => this.#order.indexOf(sequence));
    const sizes = Array.from({ length: Math.max(...lengths) }, (_, step) => {
      return lengths.filter((length) => length > step).length;
    });
    let end = 0;
    this.#starts = sizes.map((size) => {
      end += size;
      return end - size;
    });
    this.sizes = sizes;
  }

  /** For each row what is given for its sequence and step. */
  #rows(value: (sequence: number, step: number) => number): number[] {
    return this.sizes.flatMap((size, step) => this.#order.slice(0, size).map((sequence) => value(sequence, step)));
  }

  /** The row of a step of a sequence. */
  #rowOf(sequence: number, step: number): number {
    return (this.#starts[step] ?? 0) + (this.#ranks[sequence] ?? 0);
  }

  #places(device: Device): Tensor {
    return indices(
      device,
      this.#rows((sequence, step) => sequence * this.#time + step),
    );
  }

  pack(x: Tensor): Tensor {
    return x.reshape([-1, x.shape.at(-1) ?? 1]).gather(this.#places(x.device));
  }

  unpack(x: Tensor): Tensor {
    const batch = this.#lengths.length;
    return scatter(x, this.#places(x.device), batch * this.#time).view([batch, this.#time, -1]);
  }

  turn(x: Tensor): Tensor {
    const places = this.#rows((sequence, step) => {
      return this.#rowOf(sequence, (this.#lengths[sequence] ?? 1) - 1 - step);
    });
    return x.gather(indices(x.device, places));
  }

  last(x: Tensor): Tensor {
    const places = this.#lengths.map((length, sequence) => this.#rowOf(sequence, length - 1));
    return x.gather(indices(x.device, places));
  }

  sort(state: Tensor): Tensor {
    return state.gather(indices(state.device, this.#order));
  }
}

function checkLengths(batch: number, time: number, lengths: readonly number[]): void {
  if (lengths.length !== batch) {
    throw new SluiceError('shape', {
      rule: `lengths has a number for each of the ${batch} sequences of the batch`,
      received: lengths.length,
      remedy: 'Give the number of real steps of each, in the order of the batch.',
    });
  }
  for (const [sequence, length] of lengths.entries()) {
    if (Number.isInteger(length) && length >= 1 && length <= time) continue;
    throw new SluiceError('argument', {
      rule: `the length of a sequence is a whole number from 1 to the time of the batch, ${time}`,
      received: `${length} for sequence ${sequence}`,
      remedy: length === 0 ? 'Leave empty sequences out of the batch.' : 'Count its steps without padding.',
    });
  }
}
