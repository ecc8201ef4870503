import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import type { Pair } from '../kernels/windows.js';
import { type Expression, variable } from '../scalar/expression.js';
import { internal, mapTensors, type Tensor, tensor } from '../tensor/index.js';
import { pad } from '../tensor/operations/padding.js';
import { type WindowOptions, windowsOn } from '../tensor/operations/windows.js';
import { type AlongLine, pairOf, type Sizes } from './sizes.js';

export interface PoolingOptions {
  readonly kernel: Sizes;
  /** As the kernel by default: windows that touch. */
  readonly stride?: Sizes;
  /** On either side; at most half of the kernel. 0 by default. */
  readonly padding?: Sizes;
  /** A last window that is not all on the image counts too; false by default. */
  readonly ceilMode?: boolean;
}

export interface MaxPoolingOptions extends PoolingOptions {
  /** 1 by default. */
  readonly dilation?: Sizes;
}

export interface AveragePoolingOptions extends PoolingOptions {
  /** Padding counts as zeros; true by default. */
  readonly countIncludePad?: boolean;
}

const poolingDefaults = { kernel: undefined, stride: undefined, padding: 0, ceilMode: false };
const maxDefaults = { ...poolingDefaults, dilation: 1 } satisfies OptionTable<MaxPoolingOptions>;
const averageDefaults = { ...poolingDefaults, countIncludePad: true } satisfies OptionTable<AveragePoolingOptions>;

/**
 * The largest value of each window of [..., height, width], as PyTorch's MaxPool2d: the first of equal ones has the
 * gradient, padding is never the largest, and NaN stays.
 * @throws SluiceError `shape` where no window fits; `argument` for impossible sizes.
 */
export function maxPool2d(x: Tensor, options: MaxPoolingOptions): Tensor {
  const { kernel, stride = kernel, ...rest } = completeOptions('maxPool2d', options, maxDefaults);
  return internal(() => {
    const windows = new Windows('maxPool2d', x, { kernel, stride, ...rest }, Number.NEGATIVE_INFINITY);
    return windows.reduce(maximum);
  });
}

/**
 * The mean of each window of [..., height, width], as PyTorch's AvgPool2d.
 * @throws SluiceError as `maxPool2d`.
 */
export function averagePool2d(x: Tensor, options: AveragePoolingOptions): Tensor {
  const { countIncludePad, ...given } = completeOptions('averagePool2d', options, averageDefaults);
  const { kernel, stride = kernel, ...rest } = given;
  return internal(() => {
    const windows = new Windows('averagePool2d', x, { kernel, stride, ...rest, dilation: 1 }, 0);
    return windows.reduce(total).mul(windows.shares(x, countIncludePad));
  });
}

/** As `maxPool2d`, of [..., length]. */
export function maxPool1d(x: Tensor, { dilation = 1, ...options }: AlongLine<MaxPoolingOptions>): Tensor {
  return alongLine(x, (image) => maxPool2d(image, { ...onLine(options), dilation: [1, dilation] }));
}

/** As `averagePool2d`, of [..., length]. */
export function averagePool1d(x: Tensor, options: AlongLine<AveragePoolingOptions>): Tensor {
  return alongLine(x, (image) => averagePool2d(image, onLine(options)));
}

const onLine = <O extends AlongLine<PoolingOptions>>({ kernel, stride = kernel, padding = 0, ...rest }: O) => ({
  ...rest,
  ...({ kernel: [1, kernel], stride: [1, stride], padding: [0, padding] } as const),
});

/** Of a line as an image of one row. */
const alongLine = (x: Tensor, pool: (image: Tensor) => Tensor): Tensor =>
  internal(() => pool(x.unsqueeze(Math.max(0, x.shape.length - 1))).squeeze(-2));

interface Geometry {
  readonly kernel: Sizes;
  readonly stride: Sizes;
  readonly padding: Sizes;
  readonly dilation: Sizes;
  readonly ceilMode: boolean;
}

/** What a window's elements come to, by how many they are: kept, since a kernel is known by its expression. */
type Formula = (count: number) => { readonly names: readonly string[]; readonly outputs: readonly [Expression] };

/** Of equal ones max passes the gradient to its second operand: the one before. */
const maximum = formulaOf((before, next) => next.max(before));
const total = formulaOf((before, next) => before.add(next));

function formulaOf(join: (before: Expression, next: Expression) => Expression): Formula {
  const known = new Map<number, ReturnType<Formula>>();
  return (count) => {
    const found = known.get(count);
    if (found !== undefined) return found;
    const names = Array.from({ length: count }, (_, i) => `x${i}`);
    const made = { names, outputs: [names.map((name) => variable(name)).reduce(join)] as const };
    known.set(count, made);
    return made;
  };
}

/** The windows of an image that pooling looks at. */
class Windows {
  readonly #operation: string;
  readonly #padded: Tensor;
  readonly #kernel: Pair;
  readonly #stride: Pair;
  readonly #dilation: Pair;
  readonly #padding: Pair;
  readonly #counts: Pair;

  constructor(operation: string, x: Tensor, geometry: Geometry, filling: number) {
    this.#operation = operation;
    const [kernel, stride, padding, dilation] = [
      pairOf(geometry.kernel),
      pairOf(geometry.stride),
      pairOf(geometry.padding),
      pairOf(geometry.dilation),
    ];
    if (x.shape.length < 2) {
      throw new SluiceError('shape', {
        rule: `${operation} takes images [..., height, width]`,
        received: x.shape,
        remedy: 'Use the function for lines, ...1d, or reshape.',
      });
    }
    requireHalf(operation, kernel, padding, dilation);
    const options: WindowOptions = { stride, dilation, padding: [both(padding[0]), both(padding[1])] };
    const counts = windowsOn(operation, x.shape, kernel, options, geometry.ceilMode);
    const behind = (axis: 0 | 1): number => {
      const end = (counts[axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1;
      return Math.max(0, end - padding[axis] - (x.shape.at(axis - 2) ?? 1));
    };
    const amounts = [[padding[0], behind(0)] as const, [padding[1], behind(1)] as const];
    this.#padded = amounts.flat().some((amount) => amount > 0) ? pad(x, amounts, filling) : x;
    this.#kernel = kernel;
    this.#stride = stride;
    this.#dilation = dilation;
    this.#padding = padding;
    this.#counts = counts;
  }

  /** Row after row within a window, so that the first of equal elements is PyTorch's. */
  reduce(formula: Formula): Tensor {
    const [height, width] = this.#kernel;
    // Few elements in one kernel; of many first each row's, then the column of those.
    if (height * width <= 4)
      return this.#join(
        formula,
        this.#rows(this.#padded).flatMap((row) => this.#columns(row)),
      );
    const across = this.#join(formula, this.#columns(this.#padded));
    return this.#join(formula, this.#rows(across));
  }

  #join(formula: Formula, parts: readonly Tensor[]): Tensor {
    const { names, outputs } = formula(parts.length);
    const operands = Object.fromEntries(parts.map((part, i) => [names[i] ?? '', part]));
    return mapTensors(outputs, operands, {}, { operation: this.#operation })[0];
  }

  #rows(x: Tensor): Tensor[] {
    return this.#steps(x, 0);
  }

  #columns(x: Tensor): Tensor[] {
    return this.#steps(x, 1);
  }

  /** For each of a window's rows, or columns, those rows of all windows. */
  #steps(x: Tensor, which: 0 | 1): Tensor[] {
    const axis = x.shape.length - 2 + which;
    const own = x.strides[axis] ?? 1;
    return Array.from({ length: this.#kernel[which] }, (_, step) =>
      x.look({
        shape: x.shape.with(axis, this.#counts[which]),
        strides: x.strides.with(axis, own * this.#stride[which]),
        offset: x.offset + step * this.#dilation[which] * own,
      }),
    );
  }

  /** What each window's sum is multiplied with for its mean, as PyTorch counts: [rows, columns]. */
  shares(x: Tensor, countIncludePad: boolean): Tensor {
    const lengths = (axis: 0 | 1): number[] =>
      Array.from({ length: this.#counts[axis] }, (_, i) => {
        const size = x.shape.at(axis - 2) ?? 1;
        const begin = i * this.#stride[axis] - this.#padding[axis];
        const end = Math.min(begin + this.#kernel[axis], size + this.#padding[axis]);
        return countIncludePad ? end - begin : Math.min(end, size) - Math.max(0, begin);
      });
    const columns = lengths(1);
    return tensor(
      x.device,
      lengths(0).map((height) => columns.map((width) => 1 / (height * width))),
    );
  }
}

const both = (amount: number): Pair => [amount, amount];

function requireHalf(operation: string, kernel: Pair, padding: Pair, dilation: Pair): void {
  const odd = padding.find((amount, axis) => amount > ((dilation[axis] ?? 1) * ((kernel[axis] ?? 1) - 1)) / 2 + 0.5);
  if (odd === undefined) return;
  throw new SluiceError('argument', {
    rule: `the padding of ${operation} is at most half of its kernel`,
    received: odd,
    remedy: 'A window would see nothing but padding: lower it.',
  });
}
