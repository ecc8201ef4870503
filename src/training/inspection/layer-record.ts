import { Conv1d } from '../../layers/convolution.js';
import type { Layer } from '../../layers/layer.js';
import { Recurrent } from '../../layers/recurrent.js';
import { internal, type Tensor } from '../../tensor/index.js';
import { GateRecord, type GateReport } from './gates.js';
import { kindOf, slopeOf } from './slope.js';
import { bars, byStep, byUnit, countsOf, momentsOf, slopesOf, squaresOf, withoutPadding } from './unit-kernels.js';
import { type Moments, type UnitShares, UnitStatistics } from './unit-statistics.js';

export interface Histogram {
  /** Where the first bar begins, and the last one ends; what lies beyond is counted there. */
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

/** What was seen of a layer: of what it gives, and of the gradient of the loss with respect to that. */
export interface LayerReport extends Omit<Moments, 'least' | 'most'>, UnitShares {
  /** As in a checkpoint: `model.layers.0.mlp.act_fn`; '' for the model itself. */
  readonly name: string;
  /** The activation, or the class of the layer. */
  readonly kind: string;
  readonly isActivation: boolean;
  /** It goes through time, step by step or call by call. */
  readonly isRecurrent: boolean;
  readonly units: number;
  /** Values of each unit. */
  readonly values: number;
  /** The largest absolute value. */
  readonly largest: number;
  readonly histogram: Histogram;
  /** Of a batch: the root mean square over batches. */
  readonly gradientNorm: number;
  /** The same at each time step of [batch, time, width], or at each call of a layer that is called several times. */
  readonly gradientNormByStep: readonly number[] | undefined;
  /** Of the layer's own parameters. */
  readonly parameters: ParameterNorms | undefined;
  /** Of a recurrent layer. */
  readonly gates: readonly GateReport[] | undefined;
}

export interface ParameterNorms {
  readonly norm: number;
  /** Of the mean loss. */
  readonly gradientNorm: number;
}

/** What one call of a layer left behind: all of it is kept until it is measured. */
export interface Seen {
  readonly name: string;
  readonly layer: Layer;
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  /** 0 everywhere, and added to the output: its gradient is the output's. */
  readonly probe: Tensor;
  /** Of rows that went through time one after the other: how many there are of each step. */
  readonly sizes?: readonly number[];
  /** What the activations within a cell gave, by name, [rows, hidden]. */
  readonly parts?: Readonly<Record<string, Tensor>>;
}

/** Bars go so many standard deviations to both sides of the mean, if values do. */
const widest = 4;

/** Gathers what the calls of one layer left behind. */
export class LayerRecord {
  readonly name: string;
  readonly layer: Layer;
  readonly #threshold: number;
  readonly #statistics = new UnitStatistics();
  readonly #gates: GateRecord | undefined;
  #histogram: { readonly low: number; readonly width: number; readonly counts: number[] } | undefined;
  /** Sums of squares of gradients, by call and time step. */
  readonly #steps: number[][] = [];
  #calls = 0;
  #isRecurrent = false;
  #batches = 0;

  constructor(name: string, layer: Layer, threshold: number) {
    this.name = name;
    this.layer = layer;
    this.#threshold = threshold;
    this.#gates = layer instanceof Recurrent ? new GateRecord(layer.cell) : undefined;
  }

  /** @param lengths of the sequences of [batch, time, width]: what lies behind them is padding, and left out */
  async add({ output, inputs, probe, sizes, parts }: Seen, lengths: ArrayLike<number> | undefined): Promise<void> {
    const rowsOf = (given: Tensor): Tensor =>
      internal(() => byUnit(withoutPadding(this.#unitsLast(given.detach()), lengths)).keep());
    const rows = rowsOf(output);
    const [, count = 0] = rows.shape;
    this.#statistics.addValues(await momentsOf(rows), count);
    await this.#count(rows);
    rows.dispose();
    await this.#addSlopes(inputs, rowsOf);
    if (parts !== undefined) await this.#gates?.add(parts);
    const gradient = probe.grad;
    if (gradient !== undefined) await this.#addGradients(gradient, rowsOf(gradient), sizes);
    this.#calls++;
    if (this.#calls > 1) this.#isRecurrent = true;
  }

  /** A convolution along a line gives [batch, channels, length]. */
  #unitsLast(given: Tensor): Tensor {
    return this.layer instanceof Conv1d ? given.transpose(1, 2) : given;
  }

  endBatch(): void {
    this.#calls = 0;
    this.#batches++;
  }

  async #count(rows: Tensor): Promise<void> {
    if (this.#histogram === undefined) {
      const { mean, variance, least, most } = this.#statistics.moments();
      const reach = widest * Math.sqrt(variance);
      const [low, high] = [Math.max(least, mean - reach), Math.min(most, mean + reach)];
      this.#histogram = { low, width: (high - low) / bars, counts: Array(bars).fill(0) };
    }
    const { low, width, counts } = this.#histogram;
    for (const [bar, some] of (await countsOf(rows, low, width)).entries()) counts[bar] = (counts[bar] ?? 0) + some;
  }

  async #addSlopes(inputs: readonly Tensor[], rowsOf: (input: Tensor) => Tensor): Promise<void> {
    const slope = slopeOf(this.layer);
    if (slope === undefined) return;
    const elements = Object.fromEntries(
      slope.inputs.flatMap((name, i) => (inputs[i] === undefined ? [] : [[name, rowsOf(inputs[i])]])),
    );
    const units = this.#statistics.units;
    const learned = Object.fromEntries(
      Object.entries(slope.learned).map(([name, value]) => [name, internal(() => wide(value, units))]),
    );
    this.#statistics.addSlopes(await slopesOf(slope.expression, elements, learned, this.#threshold));
    for (const tensor of [...Object.values(elements), ...Object.values(learned)]) tensor.dispose();
  }

  async #addGradients(gradient: Tensor, rows: Tensor, sizes: readonly number[] | undefined): Promise<void> {
    const squares = await squaresOf(rows);
    rows.dispose();
    this.#statistics.addGradients(squares);
    if (sizes !== undefined) this.#isRecurrent = true;
    const parts = (await this.#squaresByStep(gradient, sizes)) ?? [sum(squares)];
    const sofar = this.#steps[this.#calls] ?? [];
    const length = Math.max(parts.length, sofar.length);
    this.#steps[this.#calls] = Array.from({ length }, (_, step) => (parts[step] ?? 0) + (sofar[step] ?? 0));
  }

  /** The sum of squares at each time step, of what has some. */
  async #squaresByStep(gradient: Tensor, sizes: readonly number[] | undefined): Promise<ArrayLike<number> | undefined> {
    if (sizes !== undefined) {
      const rows = await squaresOf(gradient);
      let end = 0;
      return sizes.map((size) => {
        end += size;
        return sum(rows.subarray(end - size, end));
      });
    }
    if (gradient.shape.length !== 3) return undefined;
    const steps = internal(() => byStep(this.#unitsLast(gradient)).keep());
    const squares = await squaresOf(steps);
    steps.dispose();
    return squares;
  }

  report(parameters: ParameterNorms | undefined): LayerReport {
    const { least, most, ...moments } = this.#statistics.moments();
    const { low = 0, width = 0, counts = [] } = this.#histogram ?? {};
    const steps = this.#steps.flat();
    const norm = (squares: number): number => Math.sqrt(squares / this.#batches);
    return {
      name: this.name,
      kind: kindOf(this.layer),
      isActivation: slopeOf(this.layer) !== undefined,
      isRecurrent: this.#isRecurrent,
      units: this.#statistics.units,
      values: this.#statistics.count,
      ...moments,
      largest: Math.max(Math.abs(least), Math.abs(most)),
      histogram: { low, high: low + bars * width, counts },
      ...this.#statistics.shares(),
      gradientNorm: norm(sum(steps)),
      gradientNormByStep: steps.length > 1 ? steps.map(norm) : undefined,
      parameters,
      gates: this.#gates?.reports(),
    };
  }
}

const wide = (value: Tensor, units: number): Tensor => value.detach().expand([units]).contiguous().keep();

const sum = (values: Iterable<number>): number => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};

/** The norms of the parameters that each layer has itself, those of the layers within it left out. */
export async function parametersByLayer(model: Layer, batches: number): Promise<Map<Layer, ParameterNorms>> {
  const owners = new Map<Tensor, Layer>();
  for (const [, layer] of model.namedLayers()) for (const tensor of layer.parameters()) owners.set(tensor, layer);
  const squares = new Map<Layer, { values: number; gradients: number }>();
  for (const [tensor, layer] of owners) {
    const known = squares.get(layer) ?? { values: 0, gradients: 0 };
    const { grad } = tensor;
    known.values += await allSquares(tensor);
    if (grad !== undefined) known.gradients += await allSquares(grad);
    squares.set(layer, known);
  }
  const norms = [...squares].map(([layer, { values, gradients }]) => {
    return [layer, { norm: Math.sqrt(values), gradientNorm: Math.sqrt(gradients) / batches }] as const;
  });
  return new Map(norms);
}

async function allSquares(tensor: Tensor): Promise<number> {
  const rows = internal(() =>
    tensor
      .detach()
      .reshape([-1, tensor.shape.at(-1) ?? 1])
      .keep(),
  );
  const squares = await squaresOf(rows);
  rows.dispose();
  return sum(squares);
}
