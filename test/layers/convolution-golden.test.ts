import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/devices/device.js';
import { SafetensorsFile } from '../../src/formats/safetensors-file.js';
import { Conv1d, Conv2d } from '../../src/layers/convolution.js';
import type { Layer } from '../../src/layers/layer.js';
import { averagePool1d, averagePool2d, maxPool1d, maxPool2d } from '../../src/layers/pooling.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';
import { distance } from '../models/golden.js';
import { openDevices } from '../support/devices.js';
import { initializer, readerOf } from './support.js';

const { reference, others } = await openDevices();
const devices = [reference, ...others.filter(({ threads }) => threads === 2)];

interface Case {
  readonly kind: keyof typeof kinds;
  readonly arguments: Readonly<Record<string, never>>;
  readonly shape: readonly number[];
  readonly causal?: true;
}

const folder = fileURLToPath(new URL('../golden/convolution/', import.meta.url));
const cases = Object.entries(JSON.parse(readFileSync(`${folder}cases.json`, 'utf8')) as Record<string, Case>);
const expected = await SafetensorsFile.open(`${folder}expected.safetensors`);
afterAll(() => expected.close());

/** What PyTorch calls the options. */
const optionNames: Readonly<Record<string, string>> = {
  ...{ kernel_size: 'kernel', ceil_mode: 'ceilMode', count_include_pad: 'countIncludePad' },
};

/** The layer, if it has weights, and what it does. */
const kinds = {
  Conv1d: convolution(Conv1d),
  Conv2d: convolution(Conv2d),
  MaxPool1d: pooling(maxPool1d),
  MaxPool2d: pooling(maxPool2d),
  AvgPool1d: pooling(averagePool1d),
  AvgPool2d: pooling(averagePool2d),
};

interface Built {
  readonly layer?: Layer;
  readonly forward: (x: Tensor) => Tensor;
}

function convolution(Kind: typeof Conv1d | typeof Conv2d) {
  return (device: Device, { in_channels, out_channels, kernel_size, ...options }: Case['arguments']): Built => {
    const layer = new Kind(initializer(device), in_channels ?? 1, out_channels ?? 1, kernel_size ?? 1, options);
    return { layer, forward: (x) => layer.forward(x) };
  };
}

function pooling(pool: (x: Tensor, options: { readonly kernel: never }) => Tensor) {
  return (_: Device, given: Case['arguments']): Built => {
    const options = Object.entries(given).map(([name, value]) => [optionNames[name] ?? name, value]);
    return { forward: (x) => pool(x, Object.fromEntries(options)) };
  };
}

/** With channels innermost in memory. */
const turned = (x: Tensor): Tensor => {
  const last = x.shape.length - 1;
  const axes = x.shape.map((_, axis) => axis);
  const back = [0, last, ...axes.slice(1, -1)];
  return x
    .permute([0, ...axes.slice(2), 1])
    .contiguous()
    .permute(back);
};

describe.each(
  devices.map((device) => [`${device.name}, ${device.description}`, device] as const),
)('%s', (_, device) => {
  test.each(
    cases.flatMap(([name, own]) => [[name, 'outermost', own] as const, [name, 'innermost', own] as const]),
  )('%s computes as PyTorch, with channels %s, value and gradients', async (name, order, own) => {
    const read = async (key: string): Promise<Float32Array> => expected.readFloat32(`${name}.${key}`);
    const { in_channels, ...rest } = own.arguments;
    const given = own.causal ? { ...rest, padding: 'causal' as never } : rest;
    const { layer, forward } = kinds[own.kind](device, in_channels === undefined ? given : { in_channels, ...given });
    const names = layer?.namedParameters().map((parameter) => parameter.name) ?? [];
    const weights = await Promise.all(
      names.map(async (key) => {
        const { shape } = expected.info(`${name}.${key}`);
        return [key, { shape, data: await read(key) }] as const;
      }),
    );
    await layer?.load(readerOf(new Map(weights)));
    const x = tensor(device, await read('x'), own.shape, { requiresGrad: true });
    const y = forward(order === 'innermost' ? turned(x) : x);
    expect(y.shape).toEqual(expected.info(`${name}.y`).shape);
    y.backward(tensor(device, await read('cotangent'), y.shape));
    const tolerance = device.name === 'reference' ? 1e-6 : 1e-5;
    expect(distance(await y.toArray(), await read('y')), 'y').toBeLessThan(tolerance);
    for (const [key, leaf] of [['x', x], ...(layer?.namedParameters().map((p) => [p.name, p.tensor]) ?? [])] as [
      string,
      Tensor,
    ][]) {
      if (leaf.grad === undefined) throw new Error(`${key} has no gradient`);
      expect(distance(await leaf.grad.toArray(), await read(`gradient.${key}`)), key).toBeLessThan(tolerance);
    }
  });
});
