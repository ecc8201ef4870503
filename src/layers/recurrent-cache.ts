import type { Device } from '../devices/device.js';
import { fill } from '../tensor/compute.js';
import { internal, type Tensor, tensor, zeros } from '../tensor/index.js';
import type { Recurrent, RecurrentStates } from './recurrent.js';

type Kept = Record<string, Tensor>;

/**
 * The states of a recurrent layer behind the steps seen so far, without their history: what is carried from one window
 * of a text to the next. It has the states twice: those before a window stay as they are until backward() has read them.
 */
export class RecurrentCache implements Disposable {
  #current: Kept;
  #next: Kept;
  #length = 0;

  constructor(device: Device, layer: Recurrent, batch: number) {
    const runs = layer.layers * layer.directions;
    const make = (): Kept =>
      Object.fromEntries(
        layer.cell.states.map((name, i) => {
          return [name, zeros(device, [runs, batch, i === 0 ? layer.outputs : layer.hidden]).keep()] as const;
        }),
      );
    this.#current = make();
    this.#next = make();
  }

  /** Steps seen. */
  get length(): number {
    return this.#length;
  }

  get states(): RecurrentStates {
    return this.#current;
  }

  /** Takes the states after so many more steps; one window back they are still there. */
  update(states: RecurrentStates, steps: number): void {
    for (const [name, tensor] of Object.entries(this.#next)) {
      const state = states[name];
      if (state !== undefined) tensor.write(state.detach());
    }
    [this.#current, this.#next] = [this.#next, this.#current];
    this.#length += steps;
  }

  /** Goes on with these sequences of the batch, in this order, some of them perhaps several times: beams. */
  take(rows: readonly number[]): void {
    const taken = (kept: Kept): Kept =>
      Object.fromEntries(Object.entries(kept).map(([name, states]) => [name, taking(states, rows)]));
    [this.#current, this.#next] = [taken(this.#current), taken(this.#next)];
  }

  /** Forgets all steps. */
  clear(): void {
    for (const tensor of Object.values(this.#current)) fill(tensor.device, tensor.strided(), 0);
    this.#length = 0;
  }

  dispose(): void {
    for (const tensor of [...Object.values(this.#current), ...Object.values(this.#next)]) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The sequences of [runs, batch, width] by their numbers, in memory of their own; what they were in goes. */
function taking(states: Tensor, rows: readonly number[]): Tensor {
  const { device, shape } = states;
  const to = zeros(device, shape.with(1, rows.length)).keep();
  internal(() => {
    const chosen = states.transpose(0, 1).gather(tensor(device, Int32Array.from(rows)));
    to.write(chosen.transpose(0, 1));
  });
  states.dispose();
  return to;
}
