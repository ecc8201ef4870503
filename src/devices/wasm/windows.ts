import type { WindowShape } from '../../kernels/windows.js';
import type { View } from '../device.js';
import { areChannelsInner, windowNumbers } from '../windows.js';
import { ArgumentReader } from './arguments.js';
import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { type Integer, type Integers, integers } from './integers.js';
import { addressOf } from './memory.js';
import type { WasmRuntime } from './runtime.js';
import { emitAddRun, emitCopyRun, emitZeroRun } from './window-runs.js';

const elementsPerChunk = 16_384;
const sizes = 14;

const names = [
  ...(['image', 'windows', 'accumulate'] as const),
  ...(['images', 'channels', 'height', 'width', 'kernelHeight', 'kernelWidth', 'rows', 'columns'] as const),
  ...(['strideY', 'strideX', 'paddingY', 'paddingX', 'dilationY', 'dilationX'] as const),
  ...(['imageStride', 'channelStride', 'pixelRow', 'pixel'] as const),
  ...(['windowChannel', 'windowKy', 'windowKx', 'windowImage', 'windowRow', 'windowColumn'] as const),
] as const;
type Words = Readonly<Record<(typeof names)[number], Local<'i32'>>>;

/** The words of a launch; strides in bytes. */
function wordsOf(shape: WindowShape, image: View, windows: View, accumulate: boolean): number[] {
  const numbers = windowNumbers(shape, image, windows).map((number, at) => (at < sizes ? number : 4 * number));
  return [addressOf(image), addressOf(windows), accumulate ? 1 : 0, ...numbers];
}

/** What the kernels share: their words, and the places that they count through. */
class Frame {
  readonly f: FunctionBuilder;
  readonly i: Integers;
  readonly w: Words;
  /** The place of a window's element, and that of its pixel. */
  readonly at: Readonly<
    Record<'image' | 'windows' | 'item' | 'ky' | 'kx' | 'row' | 'column' | 'y' | 'x', Local<'i32'>>
  >;

  constructor(module: ModuleBuilder) {
    this.f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
    this.i = integers(this.f);
    const reader = new ArgumentReader(this.f, this.f.parameter(0, 'i32'));
    this.w = Object.fromEntries(names.map((name) => [name, reader.integer()])) as Words;
    this.at = this.f.locals('i32', 'image', 'windows', 'item', 'ky', 'kx', 'row', 'column', 'y', 'x');
  }

  /** Goes through the items, each a pair of an image and a part of it. */
  eachItem(parts: Local<'i32'>, body: (part: Integer, whole: Integer) => void): void {
    const { f, i, at } = this;
    f.forRange(at.item, f.parameter(1, 'i32'), f.parameter(2, 'i32'), 1, () =>
      body(i.remainder(at.item, parts), i.divide(at.item, parts)),
    );
  }

  eachOffset(body: () => void): void {
    const { f, w, at } = this;
    f.forRange(at.ky, 0, w.kernelHeight, 1, () => f.forRange(at.kx, 0, w.kernelWidth, 1, body));
  }

  get rowOfImage(): Integer {
    const { i, w, at } = this;
    const start = i.subtract(i.multiply(at.row, w.strideY), w.paddingY);
    return i.add(start, i.multiply(at.ky, w.dilationY));
  }

  get columnOfImage(): Integer {
    const { i, w, at } = this;
    const start = i.subtract(i.multiply(at.column, w.strideX), w.paddingX);
    return i.add(start, i.multiply(at.kx, w.dilationX));
  }

  /** Of what `at.windows` begins. */
  get element(): Integer {
    const { i, w, at } = this;
    const offset = i.add(i.multiply(at.ky, w.windowKy), i.multiply(at.kx, w.windowKx));
    return i.add(at.windows, offset, i.multiply(at.row, w.windowRow), i.multiply(at.column, w.windowColumn));
  }

  /** Of what `at.image` begins. */
  get place(): Integer {
    const { i, w, at } = this;
    return i.add(at.image, i.multiply(at.y, w.pixelRow), i.multiply(at.x, w.pixel));
  }

  /** Unsigned: a place before the first is far behind the last. */
  isWithin(place: Local<'i32'>, size: Local<'i32'>): Integer {
    return () => {
      this.f.get(place, size);
      this.f.op('i32.lt_u');
    };
  }

  /** Sets x to where the first column's pixel is, and gives the first and the last column (exclusive) in the image. */
  columnsWithin(first: Local<'i32'>, last: Local<'i32'>): void {
    const { i, w, at } = this;
    i.set(at.column, 0);
    i.set(at.x, this.columnOfImage);
    const from = (bound: Integer): Integer => {
      const steps = i.divide(i.add(i.subtract(bound, at.x), i.subtract(w.strideX, 1)), w.strideX);
      return i.least(w.columns, i.choose(i.atMost(bound, at.x), 0, steps));
    };
    i.set(first, from(0));
    i.set(last, from(w.width));
  }
}

/** An item is a channel of an image. */
function emitUnfoldPlanes(module: ModuleBuilder): void {
  const [copy, zero] = [emitCopyRun(module), emitZeroRun(module)];
  const frame = new Frame(module);
  const { f, i, w, at } = frame;
  const { first, last, begin, end, to, step } = f.locals('i32', 'first', 'last', 'begin', 'end', 'to', 'step');
  i.set(step, i.multiply(w.strideX, w.pixel));
  frame.eachItem(w.images, (part, whole) => {
    i.set(at.image, i.add(w.image, i.multiply(part, w.imageStride), i.multiply(whole, w.channelStride)));
    i.set(at.windows, i.add(w.windows, i.multiply(part, w.windowImage), i.multiply(whole, w.windowChannel)));
    frame.eachOffset(() => {
      frame.columnsWithin(first, last);
      f.forRange(at.row, 0, w.rows, 1, () => {
        i.set(at.y, frame.rowOfImage);
        i.set(begin, i.choose(frame.isWithin(at.y, w.height), first, w.columns));
        i.set(end, i.choose(frame.isWithin(at.y, w.height), last, w.columns));
        i.set(to, frame.element);
        i.call(zero, to, w.windowColumn, begin);
        i.advance(to, i.multiply(begin, w.windowColumn));
        const from = i.add(frame.place, i.multiply(begin, step));
        i.call(copy, from, step, to, w.windowColumn, i.subtract(end, begin));
        i.advance(to, i.multiply(i.subtract(end, begin), w.windowColumn));
        i.call(zero, to, w.windowColumn, i.subtract(w.columns, end));
      });
    });
  });
}

/** An item is a row of an image's windows. */
function emitUnfoldRows(module: ModuleBuilder): void {
  const [copy, zero] = [emitCopyRun(module), emitZeroRun(module)];
  const frame = new Frame(module);
  const { f, i, w, at } = frame;
  frame.eachItem(w.rows, (part, whole) => {
    i.set(at.row, part);
    i.set(at.image, i.add(w.image, i.multiply(whole, w.imageStride)));
    i.set(at.windows, i.add(w.windows, i.multiply(whole, w.windowImage)));
    f.forRange(at.column, 0, w.columns, 1, () =>
      frame.eachOffset(() => {
        i.set(at.y, frame.rowOfImage);
        i.set(at.x, frame.columnOfImage);
        i.when(
          i.and(frame.isWithin(at.y, w.height), frame.isWithin(at.x, w.width)),
          () => i.call(copy, frame.place, 4, frame.element, 4, w.channels),
          () => i.call(zero, frame.element, 4, w.channels),
        );
      }),
    );
  });
}

/** An item is a channel of an image: no other writes there. */
function emitFoldPlanes(module: ModuleBuilder): void {
  const [add, zero] = [emitAddRun(module), emitZeroRun(module)];
  const frame = new Frame(module);
  const { f, i, w, at } = frame;
  const { first, last, step } = f.locals('i32', 'first', 'last', 'step');
  i.set(step, i.multiply(w.strideX, w.pixel));
  frame.eachItem(w.images, (part, whole) => {
    i.set(at.image, i.add(w.image, i.multiply(part, w.imageStride), i.multiply(whole, w.channelStride)));
    i.set(at.windows, i.add(w.windows, i.multiply(part, w.windowImage), i.multiply(whole, w.windowChannel)));
    i.set(at.x, 0);
    i.when(i.equal(w.accumulate, 0), () =>
      f.forRange(at.y, 0, w.height, 1, () => i.call(zero, frame.place, w.pixel, w.width)),
    );
    frame.eachOffset(() => {
      frame.columnsWithin(first, last);
      f.forRange(at.row, 0, w.rows, 1, () => {
        i.set(at.y, frame.rowOfImage);
        i.when(frame.isWithin(at.y, w.height), () => {
          const from = i.add(frame.element, i.multiply(first, w.windowColumn));
          const to = i.add(frame.place, i.multiply(first, step));
          i.call(add, from, w.windowColumn, to, step, i.subtract(last, first));
        });
      });
    });
  });
}

/** An item is a row of an image: no other writes there. */
function emitFoldRows(module: ModuleBuilder): void {
  const [add, zero] = [emitAddRun(module), emitZeroRun(module)];
  const frame = new Frame(module);
  const { f, i, w, at } = frame;
  const begins = f.local('i32');
  frame.eachItem(w.height, (part, whole) => {
    i.set(at.y, part);
    i.set(at.image, i.add(w.image, i.multiply(whole, w.imageStride)));
    i.set(at.windows, i.add(w.windows, i.multiply(whole, w.windowImage)));
    i.when(i.equal(w.accumulate, 0), () =>
      f.forRange(at.x, 0, w.width, 1, () => i.call(zero, frame.place, 4, w.channels)),
    );
    f.forRange(at.ky, 0, w.kernelHeight, 1, () => {
      i.set(begins, i.subtract(i.add(at.y, w.paddingY), i.multiply(at.ky, w.dilationY)));
      i.set(at.row, i.divide(begins, w.strideY));
      const isFirst = i.equal(i.multiply(at.row, w.strideY), begins);
      i.when(i.and(isFirst, frame.isWithin(at.row, w.rows)), () =>
        f.forRange(at.column, 0, w.columns, 1, () =>
          f.forRange(at.kx, 0, w.kernelWidth, 1, () => {
            i.set(at.x, frame.columnOfImage);
            i.when(frame.isWithin(at.x, w.width), () => i.call(add, frame.element, 4, frame.place, 4, w.channels));
          }),
        ),
      );
    });
  });
}

/** Items that make a chunk worth a thread's while. */
function grainOf({ shape }: View, items: number): number {
  const elements = shape.reduce((product, size) => product * size, 1);
  return Math.max(1, Math.ceil((elementsPerChunk * items) / elements));
}

export function unfold(runtime: WasmRuntime, shape: WindowShape, image: View, windows: View): void {
  const [channels = 0, , , images = 0, rows = 0] = windows.shape;
  const isByRows = areChannelsInner(image, windows);
  const kernel = isByRows
    ? runtime.kernel('unfold rows', emitUnfoldRows)
    : runtime.kernel('unfold planes', emitUnfoldPlanes);
  const items = images * (isByRows ? rows : channels);
  runtime.launch(kernel, wordsOf(shape, image, windows, false), items, grainOf(windows, items));
}

export function fold(runtime: WasmRuntime, shape: WindowShape, windows: View, image: View, accumulate: boolean): void {
  const [images = 0, channels = 0, height = 0] = image.shape;
  const isByRows = areChannelsInner(image, windows);
  const kernel = isByRows ? runtime.kernel('fold rows', emitFoldRows) : runtime.kernel('fold planes', emitFoldPlanes);
  const items = images * (isByRows ? height : channels);
  runtime.launch(kernel, wordsOf(shape, image, windows, accumulate), items, grainOf(windows, items));
}
