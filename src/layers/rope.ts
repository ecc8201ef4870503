import { SluiceError } from '../base/errors.js';
import type { Device } from '../devices/device.js';
import { variables } from '../scalar/expression.js';
import { internal, mapJoined, type Tensor, tensor } from '../tensor/index.js';
import { mapOver } from '../tensor/operations/in-place.js';
import { sliceLayout } from '../tensor/shape.js';
import { type RopeScaling, type RopeShape, ropeFrequencies } from './rope-scaling.js';
import { requireAxes } from './shapes.js';

/** [positions, 1, headDim / 2] each. */
type Tables = Readonly<Record<'cosine' | 'sine', Tensor>>;

/** Positions that tables are made for at first; more is twice as much each time. */
const firstPositions = 512;

const [first, second, cosine, sine] = variables('first', 'second', 'cosine', 'sine');
const rotated = [first.mul(cosine).sub(second.mul(sine)), second.mul(cosine).add(first.mul(sine))];

/**
 * Rotary position embedding in Hugging Face's half-split form: component j turns with component j + headDim / 2.
 * Source: Su 2021, arXiv:2104.09864.
 */
export class RotaryEmbedding implements Disposable {
  /** The longest sequence: more than the model's positions where scaling stretches them as a text grows. */
  readonly positions: number;
  readonly #device: Device;
  readonly #shape: RopeShape;
  readonly #scaling: RopeScaling | undefined;
  /** Of the first positions, as many as were asked for. */
  #known: Tables;

  constructor(device: Device, positions: number, headDim: number, theta: number, scaling?: RopeScaling) {
    if (headDim % 2 !== 0) {
      throw new SluiceError('shape', {
        rule: 'rotary embedding turns pairs, so a head has an even width',
        received: headDim,
        remedy: 'Choose dim and heads so that dim / heads is even.',
      });
    }
    this.positions = scaling?.type === 'dynamic' ? Math.floor(positions * scaling.factor) : positions;
    this.#device = device;
    this.#shape = { headDim, theta, positions };
    this.#scaling = scaling;
    this.#known = this.#makeFirst(Math.min(positions, firstPositions));
  }

  /** Turns [batch, time, heads, headDim] whose first time step stands at `start`. */
  forward(x: Tensor, start = 0): Tensor {
    const half = this.#shape.headDim / 2;
    return internal(() => {
      const [first, second] = [x.slice(-1, 0, half), x.slice(-1, half, 2 * half)];
      const operands = { first, second, ...this.#tables(x, start) };
      return mapJoined(rotated, operands, -1, {}, { operation: 'rotary embedding' });
    });
  }

  /** Turns the first heads of a result of an operation in place: nobody may read it afterwards. */
  turn(x: Tensor, heads: number, start: number): Tensor {
    const half = this.#shape.headDim / 2;
    return internal(() => {
      const turned = sliceLayout(x, 2, 0, heads);
      const windows = { first: sliceLayout(turned, 3, 0, half), second: sliceLayout(turned, 3, half, 2 * half) };
      return mapOver(rotated, x, windows, this.#tables(x, start), 'rotary embedding');
    });
  }

  #tables(x: Tensor, start: number): Tables {
    const { headDim, positions } = this.#shape;
    requireAxes('rotary embedding', { batch: undefined, time: undefined, heads: undefined, headDim }, x);
    const end = start + (x.shape[1] ?? 0);
    if (end > this.positions) {
      throw new SluiceError('shape', {
        rule: `rotary embedding turns a sequence of at most ${this.positions} positions`,
        received: end,
        remedy: 'Shorten the prompt, or train with a longer context.',
      });
    }
    // Beyond the model's positions the frequencies depend on the length: what was turned before stays as it is.
    if (end > positions) return this.#make(start, end, end);
    const [known = 0] = this.#known.cosine.shape;
    if (end > known) {
      // A model of 131,072 positions seldom sees them all.
      this.dispose();
      this.#known = this.#makeFirst(Math.min(positions, 2 * end));
    }
    const { cosine, sine } = this.#known;
    return { cosine: cosine.slice(0, start, end), sine: sine.slice(0, start, end) };
  }

  #makeFirst(count: number): Tables {
    const { cosine, sine } = this.#make(0, count, this.#shape.positions);
    return { cosine: cosine.keep(), sine: sine.keep() };
  }

  /** Those of the positions `start` to `end` (exclusive) of a text of that length. */
  #make(start: number, end: number, length: number): Tables {
    const frequencies = ropeFrequencies(this.#shape, this.#scaling, length);
    const factor = this.#scaling?.type === 'yarn' ? this.#scaling.attentionFactor : 1;
    const half = frequencies.length;
    const table = (f: (angle: number) => number): Tensor => {
      const values = Float64Array.from({ length: (end - start) * half }, (_, i) => {
        return factor * f((start + Math.floor(i / half)) * (frequencies[i % half] ?? 0));
      });
      return tensor(this.#device, values, [end - start, 1, half]);
    };
    return { cosine: table(Math.cos), sine: table(Math.sin) };
  }

  /** Gives back its tables. */
  dispose(): void {
    this.#known.cosine.dispose();
    this.#known.sine.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
