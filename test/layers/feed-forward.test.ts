import { describe, expect, test } from 'vitest';
import {
  type Activation,
  bilinear,
  catalogue,
  clampedSwiglu,
  type Gate,
  geglu,
  glu,
  mish,
  prelu,
  relu,
  relu2,
  rowFunction,
  rrelu,
  silu,
  solu,
  swiglu,
  swish,
  xielu,
} from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { gateOf } from '../../src/formats/hugging-face/activation-names.js';
import {
  type BlockFormula,
  blockOf,
  FeedForward,
  GatedFeedForward,
  RowFeedForward,
} from '../../src/layers/feed-forward.js';
import { FormulaLayer } from '../../src/layers/formula-layer.js';
import { type Packing, unpackGate } from '../../src/layers/gate-packing.js';
import { Mode } from '../../src/layers/mode.js';
import { gatedWidth, hiddenWidth } from '../../src/layers/widths.js';
import { gradcheck, type Tensor, tensor } from '../../src/tensor/index.js';
import { initializer, normal, shake, valuesOf } from './support.js';

const device = await openReference();
const quiet = Mode.evaluation();

test.each([
  [128, 'activation', 512],
  [128, 'gate', 352],
  [96, 'gate', 256],
] as const)('the usual hidden width for %i with a block of one %s is %i', (dim, kind, wanted) => {
  expect(hiddenWidth(dim, kind)).toBe(wanted);
});

describe('the width of a gated block', () => {
  test.each([
    [256, { multipleOf: 16 }, 176],
    [64, { multipleOf: 8 }, 48],
    [16_384, { multipleOf: 256 }, 11_008],
    [16_384, { multiplier: 1.3, multipleOf: 1024 }, 14_336],
    [512, {}, 341],
    [3, {}, 2],
  ])('of %i with %o is %i', (width, options, wanted) => {
    expect(gatedWidth(width, options)).toBe(wanted);
  });

  test.each([
    [0, {}],
    [-4, {}],
    [Number.NaN, {}],
    [64, { multipleOf: 0 }],
    [64, { multiplier: -1 }],
    [Number.POSITIVE_INFINITY, {}],
  ])('of %d with %o is refused', (width, options) => {
    expect(() => gatedWidth(width, options)).toThrow(/of a gated width is positive/);
  });
});

const formulas = catalogue() as readonly BlockFormula[];

describe('a feed-forward block', () => {
  test.each(formulas.map((formula) => [formula.name, formula] as const))('of %s keeps (4, 128)', (_, formula) => {
    const x = normal(device, [4, 128]);
    for (const options of [{}, { bias: true, dropout: 0.1, perChannel: true }]) {
      const output = blockOf(initializer(device), 128, 24, formula, options).forward(x, Mode.training(1, 2));
      expect(output.shape).toEqual([4, 128]);
    }
  });

  test('that is gated is down(act(gate x) * up x)', async () => {
    const block = shake(new GatedFeedForward(initializer(device), 4, 6, swiglu, { bias: true }));
    const x = normal(device, [3, 4]);
    const gated = block.gateProj.forward(x).map(silu).mul(block.upProj.forward(x));
    expect(await valuesOf(block.forward(x, quiet))).toEqual(await valuesOf(block.downProj.forward(gated)));
  });

  test('that is plain is down(act(up x))', async () => {
    const block = shake(new FeedForward(initializer(device), 4, 6, mish));
    const x = normal(device, [3, 4]);
    const wanted = block.downProj.forward(block.upProj.forward(x).map(mish));
    expect(await valuesOf(block.forward(x, quiet))).toEqual(await valuesOf(wanted));
  });

  test('of a row function is down(norm(row(up x))), with gradients of every weight', async () => {
    const block = shake(new RowFeedForward(initializer(device), 4, 6, solu, { bias: true }));
    const x = normal(device, [3, 4]);
    const up = block.upProj.forward(x);
    const wanted = block.downProj.forward(block.norm.forward(up.mul(up.softmax())));
    const [output, expected] = [await valuesOf(block.forward(x, quiet)), await valuesOf(wanted)];
    for (const [i, value] of output.entries()) expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 10);
    const names = block.namedParameters().map(({ name, decay }) => `${name}${decay ? ' decays' : ''}`);
    expect(names).toEqual([
      ...['up_proj.weight decays', 'up_proj.bias', 'norm.weight', 'norm.bias'],
      ...['down_proj.weight decays', 'down_proj.bias'],
    ]);
    await gradcheck((...inputs) => block.forward(inputs[0] ?? x, quiet), [x, ...block.parameters()]);
  });

  test('refuses a row function that learns', () => {
    const scaled = rowFunction('scaled', (x, { a }) => x.mul(a).div(x.maximum()), {
      source: 'here',
      learned: { a: 1 },
    });
    expect(() => blockOf(initializer(device), 4, 6, scaled)).toThrow(/learns nothing.*received "?scaled/);
  });

  test('with its product outside the brackets is an error that names the operation or layer and both shapes', () => {
    const block = new GatedFeedForward(initializer(device), 128, 352, swiglu);
    const x = normal(device, [4, 128]);
    const [gate, up] = [block.gateProj.forward(x).map(silu), block.upProj.forward(x)];
    expect(() => block.downProj.forward(gate).mul(up)).toThrow(/mul .*received \[\[4, 128\], \[4, 352\]\]/);
    expect(() => block.downProj.forward(x)).toThrow(
      /linear layer of weight \[128, 352\].*received \[4, 128\].*brackets/,
    );
    const swiglued = new FormulaLayer(initializer(device), swiglu);
    expect(() => swiglued.forward(quiet, block.downProj.forward(gate), up)).toThrow(
      /swiglu takes gate and value of one shape, received \[\[4, 128\], \[4, 352\]\]/,
    );
  });

  test('names its weights as Hugging Face does, and lets only matrices decay', () => {
    const block = new GatedFeedForward(initializer(device), 4, 6, swiglu.with({ beta: 'learned' }), { bias: true });
    expect(block.namedParameters().map(({ name, decay }) => [name, decay])).toEqual([
      ['gate_proj.weight', true],
      ['gate_proj.bias', false],
      ['up_proj.weight', true],
      ['up_proj.bias', false],
      ['down_proj.weight', true],
      ['down_proj.bias', false],
      ['act_fn.beta', false],
    ]);
  });

  test.each<[string, Activation | Gate, object]>([
    ['swiglu', swiglu, {}],
    ['swiglu with biases', swiglu, { bias: true }],
    ['glu', glu, {}],
    ['geglu', geglu, {}],
    ['bilinear', bilinear, {}],
    ['clampedSwiglu', clampedSwiglu, {}],
    ['swiglu with a learned beta', swiglu.with({ beta: 'learned' }), {}],
    ['a gate of xielu', gateOf(xielu), {}],
    ['mish', mish, {}],
    ['prelu', prelu, { bias: true }],
    ['prelu per channel', prelu, { perChannel: true }],
    ['xielu', xielu, {}],
    ['swish with a learned beta', swish.with({ beta: 'learned' }), { perChannel: true }],
    ['rrelu', rrelu, {}],
    ['dropout', swiglu, { dropout: 0.5 }],
  ])('has the gradients of central differences: %s', async (_, formula, options) => {
    const block = shake(blockOf(initializer(device), 3, 4, formula, options));
    const x = normal(device, [2, 3]);
    x.requiresGrad = true;
    const { compared } = await gradcheck(() => block.forward(x, Mode.training(3, 4)), [x, ...block.parameters()]);
    expect(compared).toBe(6 * (6 + block.parameterCount));
  });
});

/** Every choice of branches, by name. */
const branchChoices = (branches: readonly string[]): Record<string, boolean>[] =>
  Array.from({ length: 2 ** branches.length }, (_, bits) =>
    Object.fromEntries(branches.map((branch, i) => [branch, (bits & (1 << i)) !== 0])),
  );

describe('the biases of a block', () => {
  /** x W^T, and the bias where the checkpoint's names have one. */
  const project = (weights: ReadonlyMap<string, Tensor>, name: string, x: Tensor): Tensor => {
    const weight = weights.get(`${name}.weight`);
    if (weight === undefined) throw new Error(`${name} has a weight`);
    const product = x.matmul(weight.transpose(0, 1));
    const bias = weights.get(`${name}.bias`);
    return bias === undefined ? product : product.add(bias);
  };
  const weightsOf = (block: FeedForward | GatedFeedForward): Map<string, Tensor> =>
    new Map(block.namedParameters().map(({ name, tensor: parameter }) => [name, parameter]));
  const biasNames = (block: FeedForward | GatedFeedForward): string[] =>
    [...weightsOf(block).keys()].filter((name) => name.endsWith('.bias'));

  test.each(branchChoices(['gate', 'up', 'down']))('stand on each branch of a gated one: %j', async (bias) => {
    const block = shake(new GatedFeedForward(initializer(device), 3, 4, swiglu, { bias }));
    const named = ['gate', 'up', 'down'].filter((branch) => bias[branch]).map((branch) => `${branch}_proj.bias`);
    expect(biasNames(block)).toEqual(named);
    const x = normal(device, [2, 3]);
    const byHand = (input: Tensor): Tensor => {
      const weights = weightsOf(block);
      const gated = project(weights, 'gate_proj', input)
        .map(silu)
        .mul(project(weights, 'up_proj', input));
      return project(weights, 'down_proj', gated);
    };
    const [output, wanted] = [await valuesOf(block.forward(x, quiet)), await valuesOf(byHand(x))];
    expect(output).toEqual(wanted);
    await gradcheck(() => block.forward(x, quiet), block.parameters());
  });

  test.each(branchChoices(['up', 'down']))('stand on each branch of a plain one: %j', async (bias) => {
    const block = shake(new FeedForward(initializer(device), 3, 4, mish, { bias }));
    const named = ['up', 'down'].filter((branch) => bias[branch]).map((branch) => `${branch}_proj.bias`);
    expect(biasNames(block)).toEqual(named);
    const x = normal(device, [2, 3]);
    const weights = weightsOf(block);
    const wanted = project(weights, 'down_proj', project(weights, 'up_proj', x).map(mish));
    expect(await valuesOf(block.forward(x, quiet))).toEqual(await valuesOf(wanted));
  });

  test('are all for true, none for false, and those left out are none', () => {
    const names = (bias: boolean | { up?: boolean }): string[] =>
      biasNames(new GatedFeedForward(initializer(device), 3, 4, swiglu, { bias }));
    expect(names(true)).toEqual(['gate_proj.bias', 'up_proj.bias', 'down_proj.bias']);
    expect(names(false)).toEqual([]);
    expect(names({ up: true })).toEqual(['up_proj.bias']);
  });

  test('change none of the initial weights', async () => {
    const weights = async (bias: boolean): Promise<number[]> => {
      const { gateProj, upProj, downProj } = new GatedFeedForward(initializer(device), 3, 4, swiglu, { bias });
      return (await Promise.all([gateProj, upProj, downProj].map(({ weight }) => valuesOf(weight)))).flat();
    };
    expect(await weights(true)).toEqual(await weights(false));
  });

  test('on branches that a block has not are refused', () => {
    const gated = { gates: true } as object;
    expect(() => new GatedFeedForward(initializer(device), 3, 4, swiglu, { bias: gated })).toThrow(
      /option of the bias of GatedFeedForward.*"gates". Did you mean "gate"/,
    );
    const plain = { gate: true } as object;
    expect(() => new FeedForward(initializer(device), 3, 4, mish, { bias: plain })).toThrow(
      /option of the bias of FeedForward.*"gate".*It knows up, down/,
    );
  });
});

describe('learned parameters of an activation', () => {
  test.each([
    [prelu, ['slope'], [0.25]],
    [xielu, ['alphaP', 'alphaN'], [Math.log(Math.expm1(0.8)), Math.log(Math.expm1(0.3))]],
    [swish.with({ beta: 'learned' }), ['beta'], [1]],
    [gateOf(prelu), ['slope'], [0.25]],
    [gateOf(swish.with({ beta: 0.5 }).with({ beta: 'learned' })), ['beta'], [0.5]],
  ] as const)('are weights with their initial values, without decay: $name', async (formula, names, initial) => {
    for (const [options, width] of [
      [{}, 1],
      [{ perChannel: true }, 6],
    ] as const) {
      const block = blockOf(initializer(device), 4, 6, formula, options);
      const learned = block.namedParameters().filter(({ name }) => name.startsWith('act_fn.'));
      expect(learned.map(({ name }) => name.replace('act_fn.', ''))).toEqual(
        names.map((name) =>
          (name === 'slope' ? 'weight' : name).replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`),
        ),
      );
      for (const [i, { tensor: parameter, decay }] of learned.entries()) {
        expect([parameter.shape, decay]).toEqual([[width], false]);
        for (const value of await valuesOf(parameter)) expect(value).toBeCloseTo(initial[i] ?? 0, 12);
      }
    }
  });

  test('receive gradients, summed over what shares them', async () => {
    const layer = new FormulaLayer(initializer(device), prelu);
    layer
      .forward(quiet, tensor(device, [-1, 2, -3, -0.5]))
      .sum()
      .backward();
    const [slope] = layer.parameters();
    expect(await slope?.grad?.toArray()).toEqual(Float64Array.of(-4.5));
  });
});

describe('noise', () => {
  const x = tensor(
    device,
    Array.from({ length: 4000 }, () => -1),
  );
  const layer = new FormulaLayer(initializer(device), rrelu);

  test('is drawn for each element in training, between the bounds and uniform', async () => {
    const slopes = (await valuesOf(layer.forward(Mode.training(1, 1), x))).map((value) => -value);
    expect(new Set(slopes).size).toBeGreaterThan(3900);
    expect(Math.min(...slopes)).toBeGreaterThanOrEqual(1 / 8);
    expect(Math.max(...slopes)).toBeLessThan(1 / 3);
    const mean = slopes.reduce((sum, slope) => sum + slope, 0) / 4000;
    expect(Math.abs(mean - (1 / 8 + 1 / 3) / 2)).toBeLessThan((5 * (1 / 3 - 1 / 8)) / Math.sqrt(12 * 4000));
  });

  test('depends on seed, step and micro-batch alone, and stands at its mean in evaluation', async () => {
    const draw = (mode: Mode): Promise<number[]> => valuesOf(layer.forward(mode, x));
    const first = await draw(Mode.training(1, 1));
    expect(await draw(Mode.training(1, 1))).toEqual(first);
    for (const other of [Mode.training(2, 1), Mode.training(1, 2), Mode.training(1, 1, 1)]) {
      expect(await draw(other)).not.toEqual(first);
    }
    expect(new Set(await draw(quiet))).toEqual(new Set([-(1 / 8 + 1 / 3) / 2]));
  });

  test('reaches a gate made of an activation', async () => {
    const gate = new FormulaLayer(initializer(device), gateOf(rrelu));
    const ones = tensor(
      device,
      Array.from({ length: 4000 }, () => 1),
    );
    expect(new Set(await valuesOf(gate.forward(Mode.training(1, 1), x, ones))).size).toBeGreaterThan(3900);
  });
});

describe('a packed gate', () => {
  const packed = tensor(device, [1, 2, 3, 4, 5, 6, 7, 8], [2, 4]);
  const parts = async (packing: Packing): Promise<number[][]> => {
    const { gate, value } = unpackGate(packed, packing);
    expect([gate.shape, value.shape]).toEqual([
      [2, 2],
      [2, 2],
    ]);
    return [await valuesOf(gate), await valuesOf(value)];
  };

  test('comes in two orders and two layouts', async () => {
    const halves = [
      [1, 2, 5, 6],
      [3, 4, 7, 8],
    ];
    const interleaved = [
      [1, 3, 5, 7],
      [2, 4, 6, 8],
    ];
    expect(await parts({ order: 'gate-first', layout: 'halves' })).toEqual(halves);
    expect(await parts({ order: 'value-first', layout: 'halves' })).toEqual(halves.toReversed());
    expect(await parts({ order: 'gate-first', layout: 'interleaved' })).toEqual(interleaved);
    expect(await parts({ order: 'value-first', layout: 'interleaved' })).toEqual(interleaved.toReversed());
  });

  test('of an odd width is refused', () => {
    const odd = tensor(device, [1, 2, 3]);
    expect(() => unpackGate(odd, { order: 'gate-first', layout: 'halves' })).toThrow(/even last axis, received \[3\]/);
  });

  test('value-first in halves with glu is first * sigmoid(second), as torch.nn.functional.glu', async () => {
    const { gate, value } = unpackGate(packed, { order: 'value-first', layout: 'halves' });
    const output = await valuesOf(new FormulaLayer(initializer(device), glu).forward(quiet, gate, value));
    const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
    const wanted = [1 * sigmoid(3), 2 * sigmoid(4), 5 * sigmoid(7), 6 * sigmoid(8)];
    output.forEach((y, i) => {
      expect(y).toBeCloseTo(wanted[i] ?? 0, 14);
    });
  });

  test('a gate rejects halves of unequal width', () => {
    const layer = new FormulaLayer(initializer(device), swiglu);
    const one: Tensor = tensor(device, [1, 2], [2, 1]);
    expect(() => layer.forward(quiet, packed, one)).toThrow(/of one shape, received \[\[2, 4\], \[2, 1\]\]/);
  });

  test('gradients pass through both layouts', async () => {
    const leaf = normal(device, [2, 4]);
    leaf.requiresGrad = true;
    for (const layout of ['halves', 'interleaved'] as const) {
      await gradcheck(
        (x) => {
          const { gate, value } = unpackGate(x, { order: 'value-first', layout });
          return gate.map(relu2).add(gate.map(relu)).mul(value);
        },
        [leaf],
      );
    }
  });
});
