import type { WindowShape } from '../../kernels/windows.js';
import type { View } from '../device.js';
import { areChannelsInner, windowNumbers } from '../windows.js';
import { resource } from './resource.js';
import { ArgumentWriter, type Launcher } from './runtime.js';

const elementsPerChunk = 16_384;
const writer = /* @__PURE__ */ new ArgumentWriter();

const source = (name: string) => () => ({
  name: `sluice_${name}`,
  code: `${resource('window-words.c')}${resource(`${name}.c`)}`,
});
const unfoldSource = /* @__PURE__ */ source('unfold');
const foldSource = /* @__PURE__ */ source('fold');

/** The words of window-words.c. */
function start(shape: WindowShape, image: View, windows: View): ArgumentWriter {
  writer
    .start()
    .address(image)
    .address(windows)
    .number(areChannelsInner(image, windows) ? 1 : 0);
  for (const number of windowNumbers(shape, image, windows)) writer.number(number);
  return writer;
}

/** Items that make a chunk worth a thread's while. */
function grainOf({ shape }: View, items: number): number {
  const elements = shape.reduce((product, size) => product * size, 1);
  return Math.max(1, Math.ceil((elementsPerChunk * items) / elements));
}

export function unfold(launcher: Launcher, shape: WindowShape, image: View, windows: View): void {
  const { words } = start(shape, image, windows);
  const [channels = 0, , , images = 0, rows = 0] = windows.shape;
  const items = images * (areChannelsInner(image, windows) ? rows : channels);
  launcher.launch(launcher.kernel('unfold', unfoldSource), words, items, grainOf(windows, items));
}

export function fold(launcher: Launcher, shape: WindowShape, windows: View, image: View, accumulate: boolean): void {
  const { words } = start(shape, image, windows).number(accumulate ? 1 : 0);
  const [images = 0, channels = 0, height = 0] = image.shape;
  const items = images * (areChannelsInner(image, windows) ? height : channels);
  launcher.launch(launcher.kernel('fold', foldSource), words, items, grainOf(windows, items));
}
