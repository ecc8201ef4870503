import { SluiceError } from '../base/errors.js';
import type { Device } from '../devices/device.js';
import { variables } from '../scalar/expression.js';
import { internal, mapJoined, type Tensor, tensor } from '../tensor/index.js';
import { mapOver } from '../tensor/operations/in-place.js';
import { sliceLayout } from '../tensor/shape.js';
import { requireAxes } from './shapes.js';

const [first, second, cosine, sine] = variables('first', 'second', 'cosine', 'sine');
const rotated = [first.mul(cosine).sub(second.mul(sine)), second.mul(cosine).add(first.mul(sine))];

/**
 * Rotary position embedding in Hugging Face's half-split form: component j turns with component j + headDim / 2.
 * Source: Su 2021, arXiv:2104.09864.
 */
export class RotaryEmbedding implements Disposable {
  /** [positions, 1, headDim / 2]. */
  readonly #cosine: Tensor;
  readonly #sine: Tensor;
  readonly positions: number;
  readonly #headDim: number;

  constructor(device: Device, positions: number, headDim: number, theta: number) {
    if (headDim % 2 !== 0) {
      throw new SluiceError('shape', {
        rule: 'rotary embedding turns pairs, so a head has an even width',
        received: headDim,
        remedy: 'Choose dim and heads so that dim / heads is even.',
      });
    }
    const half = headDim / 2;
    const angles = Array.from(
      { length: positions * half },
      (_, i) => Math.floor(i / half) * theta ** (-(i % half) / half),
    );
    const table = (f: (angle: number) => number): Tensor => tensor(device, angles.map(f), [positions, 1, half]).keep();
    this.positions = positions;
    this.#headDim = headDim;
    this.#cosine = table(Math.cos);
    this.#sine = table(Math.sin);
  }

  /** Turns [batch, time, heads, headDim] whose first time step stands at `start`. */
  forward(x: Tensor, start = 0): Tensor {
    const half = this.#headDim / 2;
    return internal(() => {
      const [first, second] = [x.slice(-1, 0, half), x.slice(-1, half, 2 * half)];
      const operands = { first, second, ...this.#tables(x, start) };
      return mapJoined(rotated, operands, -1, {}, { operation: 'rotary embedding' });
    });
  }

  /** Turns the first heads of a result of an operation in place: nobody may read it afterwards. */
  turn(x: Tensor, heads: number, start: number): Tensor {
    const half = this.#headDim / 2;
    return internal(() => {
      const turned = sliceLayout(x, 2, 0, heads);
      const windows = { first: sliceLayout(turned, 3, 0, half), second: sliceLayout(turned, 3, half, 2 * half) };
      return mapOver(rotated, x, windows, this.#tables(x, start), 'rotary embedding');
    });
  }

  #tables(x: Tensor, start: number): { readonly cosine: Tensor; readonly sine: Tensor } {
    const headDim = this.#headDim;
    requireAxes('rotary embedding', { batch: undefined, time: undefined, heads: undefined, headDim }, x);
    const [, time = 0] = x.shape;
    if (start + time > this.positions) {
      throw new SluiceError('shape', {
        rule: `rotary embedding turns a sequence of at most ${this.positions} positions`,
        received: start + time,
        remedy: 'Shorten the prompt, or train with a longer context.',
      });
    }
    return {
      cosine: this.#cosine.slice(0, start, start + time),
      sine: this.#sine.slice(0, start, start + time),
    };
  }

  /** Gives back its tables. */
  dispose(): void {
    this.#cosine.dispose();
    this.#sine.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
