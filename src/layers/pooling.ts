import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import type { Pair } from '../kernels/windows.js';
import { type Expression, variable } from '../scalar/expression.js';
import { internal, mapTensors, type Scalars, type Tensor, tensor } from '../tensor/index.js';
import { pad } from '../tensor/operations/padding.js';
import { elementsOfWindows, isStoredInner } from '../tensor/operations/unfolding.js';
import { type WindowOptions, windowsOn } from '../tensor/operations/windows.js';
import { requireAxes } from './shapes.js';
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
 * The largest value of each window of images [images, channels, height, width], as PyTorch's MaxPool2d: the first of equal ones has the
 * gradient, padding is never the largest, and NaN stays.
 * @throws SluiceError `shape` where no window fits; `argument` for impossible sizes.
 */
export function maxPool2d(x: Tensor, options: MaxPoolingOptions): Tensor {
  const { kernel, stride = kernel, ...rest } = completeOptions('maxPool2d', options, maxDefaults);
  return internal(() => {
    const windows = new Windows('maxPool2d', x, { kernel, stride, ...rest }, Number.NEGATIVE_INFINITY);
    return windows.reduce(maximum, {});
  });
}

/**
 * The mean of each window of images [images, channels, height, width], as PyTorch's AvgPool2d.
 * @throws SluiceError as `maxPool2d`.
 */
export function averagePool2d(x: Tensor, options: AveragePoolingOptions): Tensor {
  const { countIncludePad, ...given } = completeOptions('averagePool2d', options, averageDefaults);
  const { kernel, stride = kernel, ...rest } = given;
  return internal(() => {
    const windows = new Windows('averagePool2d', x, { kernel, stride, ...rest, dilation: 1 }, 0);
    const shares = windows.shares(x, countIncludePad);
    const [first = 1] = shares.flat();
    const isOne = shares.flat().every((one) => one === first);
    const means = windows.reduce(total, { share: isOne ? first : 1 });
    return isOne ? means : means.mul(tensor(x.device, shares));
  });
}

/** As `maxPool2d`, of [images, channels, length]. */
export function maxPool1d(x: Tensor, { dilation = 1, ...options }: AlongLine<MaxPoolingOptions>): Tensor {
  return alongLine(x, (image) => maxPool2d(image, { ...onLine(options), dilation: [1, dilation] }));
}

/** As `averagePool2d`, of [images, channels, length]. */
export function averagePool1d(x: Tensor, options: AlongLine<AveragePoolingOptions>): Tensor {
  return alongLine(x, (image) => averagePool2d(image, onLine(options)));
}

const onLine = <O extends AlongLine<PoolingOptions>>({ kernel, stride = kernel, padding = 0, ...rest }: O) => ({
  ...rest,
  ...({ kernel: [1, kernel], stride: [1, stride], padding: [0, padding] } as const),
});

/** Of a line as an image of one row. */
const alongLine = (x: Tensor, pool: (image: Tensor) => Tensor): Tensor =>
  internal(() => pool(x.unsqueeze(-2)).squeeze(-2));

interface Geometry {
  readonly kernel: Sizes;
  readonly stride: Sizes;
  readonly padding: Sizes;
  readonly dilation: Sizes;
  readonly ceilMode: boolean;
}

/** What a window's elements come to, by how many they are: kept, since a kernel is known by its expression. */
type Formula = (count: number) => { readonly names: readonly string[]; readonly outputs: readonly [Expression] };

const share = variable('share');
/** Of equal ones max passes the gradient to its second operand: the one before. */
const maximum = formulaOf((elements) => elements.reduce((before, next) => next.max(before)));
const total = formulaOf((elements) => elements.reduce((before, next) => before.add(next)).mul(share));

function formulaOf(join: (elements: readonly Expression[]) => Expression): Formula {
  const known = new Map<number, ReturnType<Formula>>();
  return (count) => {
    const found = known.get(count);
    if (found !== undefined) return found;
    const names = Array.from({ length: count }, (_, i) => `x${i}`);
    const made = { names, outputs: [join(names.map((name) => variable(name)))] as const };
    known.set(count, made);
    return made;
  };
}

/** How windows lie, and how many there are. */
interface Lie {
  readonly kernel: Pair;
  readonly options: WindowOptions;
  readonly counts: Pair;
}

/** The windows of images that pooling looks at. */
class Windows {
  readonly #operation: string;
  readonly #x: Tensor;
  readonly #kernel: Pair;
  readonly #options: WindowOptions;
  readonly #counts: Pair;

  /** @param filling what is thought around the images */
  constructor(operation: string, x: Tensor, geometry: Geometry, filling: number) {
    requireAxes(operation, { images: undefined, channels: undefined, height: undefined, width: undefined }, x);
    const [kernel, stride] = [pairOf(geometry.kernel), pairOf(geometry.stride)];
    const [padding, dilation] = [pairOf(geometry.padding), pairOf(geometry.dilation)];
    requireHalf(operation, kernel, padding, dilation);
    const around: readonly [Pair, Pair] = [both(padding[0]), both(padding[1])];
    const counts = windowsOn(operation, x.shape, kernel, { stride, dilation, padding: around }, geometry.ceilMode);
    const needed = ([0, 1] as const).map((axis): Pair => {
      const end = (counts[axis] - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1;
      return [padding[axis], Math.max(0, end - padding[axis] - (x.shape[2 + axis] ?? 1))];
    });
    // Zeros come by themselves.
    const isFilled = filling !== 0 && needed.flat().some((amount) => amount > 0);
    this.#operation = operation;
    this.#x = isFilled ? pad(x, needed, filling) : x;
    this.#kernel = kernel;
    this.#options = { stride, dilation, padding: isFilled ? [none, none] : around };
    this.#counts = counts;
  }

  /** Row after row within a window, so that the first of equal elements is PyTorch's. */
  reduce(formula: Formula, scalars: Scalars): Tensor {
    const [height, width] = this.#kernel;
    const { stride, dilation, padding } = this.#options;
    const [rows, columns] = this.#counts;
    if (height * width <= fewElements)
      return this.#join(formula, scalars, this.#x, {
        kernel: this.#kernel,
        options: this.#options,
        counts: this.#counts,
      });
    const alone = <T>(axis: 0 | 1, pair: readonly [T, T], other: T): readonly [T, T] =>
      axis === 0 ? [pair[0], other] : [other, pair[1]];
    const along = (axis: 0 | 1): WindowOptions => ({
      stride: alone(axis, stride, 1),
      dilation: alone(axis, dilation, 1),
      padding: alone(axis, padding, none),
    });
    const first = { kernel: [1, width], options: along(1), counts: [this.#x.shape[2] ?? 1, columns] } as const;
    const across = this.#join(formula, 'share' in scalars ? { share: 1 } : {}, this.#x, first);
    return this.#join(formula, scalars, across, { kernel: [height, 1], options: along(0), counts: [rows, columns] });
  }

  #join(formula: Formula, scalars: Scalars, x: Tensor, { kernel, options, counts }: Lie): Tensor {
    const parts = elementsOfWindows(x, kernel, options, counts);
    const { names, outputs } = formula(parts.length);
    const operands = Object.fromEntries(parts.map((part, i) => [names[i] ?? '', part]));
    const [stored] = mapTensors(outputs, operands, scalars, { operation: this.#operation });
    return isStoredInner(x) ? stored.permute([0, 3, 1, 2]) : stored;
  }

  /** What each window's sum is multiplied with for its mean, as PyTorch counts: [rows, columns]. */
  shares(x: Tensor, countIncludePad: boolean): number[][] {
    const lengths = (axis: 0 | 1): number[] =>
      Array.from({ length: this.#counts[axis] }, (_, i) => {
        const size = x.shape[2 + axis] ?? 1;
        const [before] = this.#options.padding[axis];
        const begin = i * this.#options.stride[axis] - before;
        const end = Math.min(begin + this.#kernel[axis], size + before);
        return countIncludePad ? end - begin : Math.min(end, size) - Math.max(0, begin);
      });
    const columns = lengths(1);
    return lengths(0).map((height) => columns.map((width) => 1 / (height * width)));
  }
}

/** Of more, first each row of a window, and then the column of what they come to: less to read. */
const fewElements = 4;
const none: Pair = [0, 0];
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
