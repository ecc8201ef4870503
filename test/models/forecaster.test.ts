import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { Mode } from '../../src/layers/mode.js';
import { Forecaster, type Shortcut, shortcuts } from '../../src/models/forecaster.js';
import { sequenceModelConfig } from '../../src/models/sequence-model.js';
import { gradcheck, type Tensor, tensor } from '../../src/tensor/index.js';
import { initializer, normal, shake, valuesOf } from '../layers/support.js';

const device = await openReference();
const make = (shortcut: Shortcut, inputs = 1): Forecaster => {
  const network = sequenceModelConfig({ cell: 'gru', inputs, hidden: 3, outputs: 2 });
  return new Forecaster(initializer(device), { network, window: 4, shortcut });
};
const forward = (model: Forecaster, x: Tensor): Promise<number[]> => valuesOf(model.forward(x, Mode.evaluation()));
const window = (values: readonly number[], inputs = 1): Tensor =>
  tensor(device, Float32Array.from(values), [1, 4, inputs]);

describe('a forecast', () => {
  test.each([
    'last',
    'linear',
  ] as const)('moves with the level of its series, where the shortcut is %s', async (shortcut) => {
    const model = shake(make(shortcut));
    const [a = 0, b = 0] = await forward(model, window([1, 3, 2, 4]));
    const [c = 0, d = 0] = await forward(model, window([101, 103, 102, 104]));
    expect(c - a).toBeCloseTo(100, 9);
    expect(d - b).toBeCloseTo(100, 9);
  });

  test('is the network alone without a shortcut', async () => {
    const model = shake(make('none'));
    const x = window([1, 3, 2, 4]);
    expect(await forward(model, x)).toEqual(await valuesOf(model.network.forward(x, Mode.evaluation()).output));
  });

  test('takes other columns as they are', async () => {
    const model = shake(make('last', 2));
    const moved = await forward(model, window([1, 5, 3, 6, 2, 7, 4, 8], 2));
    const others = await forward(model, window([1, 6, 3, 7, 2, 8, 4, 9], 2));
    expect(moved).not.toEqual(others);
  });

  test.each(shortcuts)('has the gradients of central differences with the shortcut %s', async (shortcut) => {
    const model = shake(make(shortcut, 2));
    const x = normal(device, [2, 4, 2]);
    await gradcheck(() => model.forward(x, Mode.evaluation()).sum(), model.parameters());
  });

  test('takes windows of its own length alone', () => {
    expect(() => make('linear').forward(normal(device, [1, 5, 1]), Mode.evaluation())).toThrow(
      /a forecaster takes \[batch, window 4, inputs 1\], received \[1, 5, 1\]/,
    );
  });
});
