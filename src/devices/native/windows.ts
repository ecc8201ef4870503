import type { WindowShape } from '../../kernels/windows.js';
import type { View } from '../device.js';
import { areChannelsInner } from '../windows.js';
import { type KernelSource, kernelSource } from './kernel-source.js';
import { resource } from './resource.js';
import { ArgumentWriter, type Launcher } from './runtime.js';

const elementsPerChunk = 16_384;
const writer = /* @__PURE__ */ new ArgumentWriter();

/** Longer rows gain nothing from a compiler that knows their length. */
const mostColumns = 64;

interface Sizes {
  /** What a kernel's text has as numbers: the compiler unrolls short rows. */
  readonly fixed: Readonly<Record<string, number>>;
  /** What it is told with each launch: a kernel for every length of a line would be many. */
  readonly open: Readonly<Record<string, number>>;
}

function sizesOf({ stride, padding, dilation }: WindowShape, image: View, windows: View): Sizes {
  const [IMAGES = 0, CHANNELS = 0, HEIGHT = 0, WIDTH = 0] = image.shape;
  const [IMAGE = 0, CHANNEL = 0, PIXEL_ROW = 0, PIXEL = 0] = image.strides;
  const [, KERNEL_HEIGHT = 0, KERNEL_WIDTH = 0, , ROWS = 0, COLUMNS = 0] = windows.shape;
  const [WINDOW_CHANNEL = 0, WINDOW_KY = 0, WINDOW_KX = 0, ...rest] = windows.strides;
  const [WINDOW_IMAGE = 0, WINDOW_ROW = 0, WINDOW_COLUMN = 0] = rest;
  const [[STRIDE_Y, STRIDE_X], [PADDING_Y, PADDING_X], [DILATION_Y, DILATION_X]] = [stride, padding, dilation];
  const kernel = { KERNEL_HEIGHT, KERNEL_WIDTH, STRIDE_Y, STRIDE_X, PADDING_Y, PADDING_X, DILATION_Y, DILATION_X };
  const size = { HEIGHT, WIDTH, ROWS, COLUMNS };
  const steps = { IMAGE, CHANNEL, PIXEL_ROW, WINDOW_CHANNEL, WINDOW_KY, WINDOW_KX, WINDOW_IMAGE, WINDOW_ROW };
  const isFixed = !areChannelsInner(image, windows) && KERNEL_HEIGHT > 1 && COLUMNS <= mostColumns;
  return {
    fixed: { ...kernel, PIXEL, WINDOW_COLUMN, ...(isFixed ? size : {}) },
    open: { IMAGES, CHANNELS, ...(isFixed ? {} : size), ...steps },
  };
}

/** The text has its sizes as CONSTANTS, which declare them. */
function source(file: string, { fixed, open }: Sizes): KernelSource {
  const known = Object.entries(fixed).map(([name, value]) => `const int64_t ${name} = ${value};`);
  const told = Object.keys(open).map((name, i) => `const int64_t ${name} = (int64_t)args[${3 + i}];`);
  return kernelSource(`sluice_${file.replace('-', '_')}`, (name) =>
    [
      ...[resource('window-bounds.c'), `#define KERNEL ${name}`, `#define CONSTANTS ${[...known, ...told].join(' ')}`],
      ...[resource(`${file}.c`), '#undef KERNEL', '#undef CONSTANTS', ''],
    ].join('\n'),
  );
}

function launch(
  launcher: Launcher,
  name: 'unfold' | 'fold',
  operands: readonly [WindowShape, image: View, windows: View],
  items: number,
  accumulate = false,
): void {
  const [, image, windows] = operands;
  const file = `${name}-${areChannelsInner(image, windows) ? 'rows' : 'planes'}`;
  const sizes = sizesOf(...operands);
  writer
    .start()
    .address(image)
    .address(windows)
    .number(accumulate ? 1 : 0);
  for (const size of Object.values(sizes.open)) writer.number(size);
  const kernel = launcher.kernel(`${file} ${Object.values(sizes.fixed).join()}`, () => source(file, sizes));
  const elements = windows.shape.reduce((product, size) => product * size, 1);
  const grain = Math.max(1, Math.ceil((elementsPerChunk * items) / elements));
  launcher.launch(kernel, writer.words, items, grain);
}

export function unfold(launcher: Launcher, shape: WindowShape, image: View, windows: View): void {
  const [channels = 0, , , images = 0, rows = 0] = windows.shape;
  const items = images * (areChannelsInner(image, windows) ? rows : channels);
  launch(launcher, 'unfold', [shape, image, windows], items);
}

export function fold(launcher: Launcher, shape: WindowShape, windows: View, image: View, accumulate: boolean): void {
  const [images = 0, channels = 0, height = 0] = image.shape;
  const items = images * (areChannelsInner(image, windows) ? height : channels);
  launch(launcher, 'fold', [shape, image, windows], items, accumulate);
}
