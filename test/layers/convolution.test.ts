import { describe, expect, test } from 'vitest';
import { Conv1d, Conv2d } from '../../src/layers/convolution.js';
import { ConvolutionCache } from '../../src/layers/convolution-cache.js';
import { averagePool2d, maxPool1d, maxPool2d } from '../../src/layers/pooling.js';
import { concat, gradcheck, ones, scope, tensor, zeros } from '../../src/tensor/index.js';
import { convolve } from '../../src/tensor/operations/convolution.js';
import { onDevices } from '../tensor/devices.js';
import { initializer, normal, readerOf, shake, valuesOf } from './support.js';

onDevices((on) => {
  describe('a convolution', () => {
    test('has the gradients of central differences', async () => {
      if (on.device.name !== 'reference') return;
      const layer = shake(new Conv2d(initializer(on.device), 2, 4, [2, 3], { stride: [1, 2], padding: 1, groups: 2 }));
      const x = normal(on.device, [2, 2, 3, 5]);
      x.requiresGrad = true;
      await gradcheck(() => layer.forward(x).tanh().sum(), [x, ...layer.parameters()]);
    });

    test('of many images is that of each, however many windows are made at a time', async () => {
      const layer = shake(new Conv2d(initializer(on.device), 2, 3, 3, { padding: 1 }));
      const images = normal(on.device, [17, 2, 40, 50]);
      const all = await valuesOf(layer.forward(images));
      const last = await valuesOf(layer.forward(images.slice(0, 16)));
      expect(all.length).toBe(17 * 3 * 40 * 50);
      for (const [i, value] of last.entries())
        if (Math.abs(value - (all[16 * 6000 + i] ?? 0)) > 1e-5) expect.fail(`element ${i}`);
    });

    test('adds to gradients that are there', async () => {
      const layer = shake(new Conv1d(initializer(on.device), 2, 3, 2));
      const x = normal(on.device, [2, 2, 5]);
      x.requiresGrad = true;
      const gradients = async (): Promise<number[][]> =>
        Promise.all([x, ...layer.parameters()].map(async ({ grad }) => (grad === undefined ? [] : valuesOf(grad))));
      layer.forward(x).sum().backward();
      const once = await gradients();
      layer.forward(x).sum().backward();
      const twice = await gradients();
      expect(once.flat().length).toBe(20 + 12 + 3);
      for (const [i, value] of once.flat().entries()) expect(twice.flat()[i]).toBeCloseTo(2 * value, 5);
    });

    test('that is causal gives nothing that follows a place to it', async () => {
      const layer = shake(new Conv1d(initializer(on.device), 2, 3, 3, { padding: 'causal', dilation: 2 }));
      const x = normal(on.device, [1, 2, 9]);
      const changed = x.clone();
      changed.slice(2, 5).write(normal(on.device, [1, 2, 4], 9));
      const [before, after] = [layer.forward(x), layer.forward(changed)];
      expect(before.shape).toEqual([1, 3, 9]);
      expect(await valuesOf(after.slice(2, 0, 5))).toEqual(await valuesOf(before.slice(2, 0, 5)));
      expect(await valuesOf(after.slice(2, 5))).not.toEqual(await valuesOf(before.slice(2, 5)));
    });

    test('that is not causal, or leaves elements out, refuses a cache', () => {
      for (const options of [{ padding: 'same' }, { padding: 'causal', stride: 2 }, {}] as const) {
        const layer = new Conv1d(initializer(on.device), 2, 2, 3, options);
        const cache = new ConvolutionCache(on.device, { batch: 1, channels: 2, reach: layer.reach });
        expect(() => layer.forward(zeros(on.device, [1, 2, 4]), cache)).toThrow(/a cache is for a causal convolution/);
        cache.dispose();
      }
    });

    test('with a cache goes on where it was', async () => {
      const layer = shake(new Conv1d(initializer(on.device), 2, 3, 3, { padding: 'causal', dilation: 2 }));
      const x = normal(on.device, [2, 7, 2]).transpose(1, 2);
      const cache = new ConvolutionCache(on.device, { batch: 2, channels: 2, reach: layer.reach });
      const whole = await valuesOf(layer.forward(x));
      for (let pass = 0; pass < 2; pass++) {
        const parts = [x.slice(2, 0, 1), x.slice(2, 1, 6), x.slice(2, 6)].map((part) => layer.forward(part, cache));
        expect(cache.length).toBe(7);
        const joined = await valuesOf(concat(parts, 2));
        for (const [i, value] of joined.entries()) expect(value).toBeCloseTo(whole[i] ?? Number.NaN, 5);
        cache.clear();
      }
      cache.dispose();
    });

    test('reads weights by PyTorch names, and refuses those of another shape', async () => {
      const layer = new Conv2d(initializer(on.device), 2, 3, [2, 4], { groups: 1 });
      const weights = { weight: [3, 2, 2, 4], bias: [3] };
      const of = (shapes: Readonly<Record<string, readonly number[]>>) =>
        readerOf(
          new Map(
            Object.entries(shapes).map(([name, shape]) => [
              name,
              { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(2) },
            ]),
          ),
        );
      await layer.load(of(weights));
      expect(await valuesOf(layer.weight)).toEqual(Array(48).fill(2));
      await expect(layer.load(of({ ...weights, weight: [3, 2, 4, 2] }))).rejects.toThrow(
        /weight has the shape \[3, 2, 2, 4\], received \[3, 2, 4, 2\]/,
      );
    });
  });

  test('pooling keeps NaN, and an image that is all padding but for one', async () => {
    const x = tensor(on.device, [1, Number.NaN, 3, 4, -5, -6, -7, -8], [1, 2, 2, 2]);
    const [first, second] = await valuesOf(maxPool2d(x, { kernel: 2 }));
    expect([first, second]).toEqual([Number.NaN, -5]);
    const corners = maxPool2d(x.slice(1, 1), { kernel: 2, padding: 1 });
    expect(await valuesOf(corners)).toEqual([-5, -6, -7, -8]);
  });

  describe('what does not fit is one clear error', () => {
    const images = (...shape: readonly number[]) => zeros(on.device, shape);
    const conv2d = (kernel: number, options = {}) => new Conv2d(initializer(on.device), 3, 4, kernel, options);
    test.each<[string, () => unknown, RegExp]>([
      [
        'an image smaller than the kernel',
        () => conv2d(5).forward(images(1, 3, 4, 8)),
        /a kernel of \[5, 5\] fits into the image with its padding \[0, 0\], received \[1, 3, 4, 8\]\. Use a smaller kernel/,
      ],
      [
        'a dilated kernel',
        () => conv2d(3, { dilation: 3, padding: 1 }).forward(images(1, 3, 4, 9)),
        /a kernel of \[3, 3\] with dilation \[3, 3\] fits into the image with its padding \[2, 2\]/,
      ],
      [
        'other channels',
        () => conv2d(3).forward(images(1, 4, 8, 8)),
        /a Conv2d takes \[batch, channels 3, height, width\]/,
      ],
      ['a missing axis', () => conv2d(3).forward(images(3, 8, 8)), /a Conv2d takes .* received \[3, 8, 8\]/],
      [
        'groups that do not divide',
        () => conv2d(3, { groups: 2 }),
        /groups divide the channels, received "2 groups of 3 channels to 4"/,
      ],
      ['a kernel of 0', () => conv2d(0), /whole numbers from 1 on.*received 0/],
      ['a stride of 0', () => conv2d(3, { stride: 0 }).forward(images(1, 3, 8, 8)), /the stride of .* received 0/],
      [
        'a negative padding',
        () => conv2d(3, { padding: -1 }).forward(images(1, 3, 8, 8)),
        /the padding of .* received -1/,
      ],
      [
        'same with a stride',
        () => conv2d(3, { padding: 'same', stride: 2 }),
        /same with stride 1, received "same with stride 2"/,
      ],
      [
        'causal images',
        () => conv2d(3, { padding: 'causal' }),
        /the padding of a Conv2d is a number, or same .* received "causal"/,
      ],
      ['an unknown option', () => conv2d(3, { strides: 2 }), /Conv2d.*strides/],
      [
        'a bias of another size',
        () =>
          convolve(images(1, 3, 8, 8), images(4, 3, 3, 3), images(3), {
            ...({ stride: [1, 1], dilation: [1, 1], groups: 1 } as const),
            padding: [
              [0, 0],
              [0, 0],
            ],
          }),
        /the bias of a convolution of 4 outputs is \[4\], received \[3\]/,
      ],
      [
        'pooling without room',
        () => maxPool2d(images(1, 1, 2, 9), { kernel: 3 }),
        /maxPool2d: a kernel of \[3, 3\] fits/,
      ],
      [
        'pooling with too much padding',
        () => averagePool2d(images(1, 1, 8, 8), { kernel: 2, padding: 2 }),
        /the padding of averagePool2d is at most half of its kernel, received 2/,
      ],
      [
        'pooling of a matrix',
        () => maxPool2d(images(8, 8), { kernel: 2 }),
        /maxPool2d takes \[images, channels, height, width\]/,
      ],
      [
        'pooling of an unknown option',
        () => maxPool1d(images(1, 1, 8), Object({ kernel: 2, strides: 1 })),
        /maxPool2d.*strides/,
      ],
    ])('%s', (_, attempt, message) => {
      expect(attempt).toThrow(message);
    });
  });

  test('nothing of a convolution or pooling stays behind', async () => {
    const layer = new Conv2d(initializer(on.device), 1, 2, 3);
    const x = ones(on.device, [2, 1, 8, 8]);
    const live = (): number => on.device.memory().liveBytes;
    const step = (): void =>
      scope(on.device, () =>
        averagePool2d(maxPool2d(layer.forward(x), { kernel: 2 }), { kernel: 3, stride: 1 })
          .sum()
          .backward(),
      );
    step();
    const before = live();
    step();
    expect(live()).toBe(before);
  });
});
