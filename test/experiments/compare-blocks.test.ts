import { describe, expect, test } from 'vitest';
import { gelu, glu, relu, resolveActivation, silu, softplus, solu, swiglu } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { blocksSvg } from '../../src/experiments/blocks-picture.js';
import { type BlockComparison, compareBlocks, usualBlocks } from '../../src/experiments/compare-blocks.js';
import type { BlockFormula } from '../../src/layers/feed-forward.js';
import { gatedWidth } from '../../src/layers/widths.js';
import { memory } from '../../src/tensor/index.js';

const device = await openReference();
const usual = { dim: 12, hidden: 48, multipleOf: 1, tokens: 0, repetitions: 1 };

async function blockOf(formula: BlockFormula, changes: Partial<BlockComparison> = {}) {
  const [block] = await compareBlocks(device, { ...usual, ...changes, formulas: [formula] });
  if (block === undefined) throw new Error('no block');
  return block;
}

describe('side by side', () => {
  test('a gated block of as many parameters has two thirds of the width', async () => {
    const { equal } = await blockOf(swiglu);
    expect(equal.parameters).toMatchObject({ hidden: gatedWidth(48), parameters: 2 * 12 * 48 });
    expect((await blockOf(swiglu, { multipleOf: 20 })).equal.parameters.hidden).toBe(40);
  });

  test('a LayerNorm counts among the parameters', async () => {
    const { hidden, parameters } = (await blockOf(solu)).equal.parameters;
    expect(parameters).toBe(hidden * (2 * 12 + 2));
    expect(Math.abs(parameters - 2 * 12 * 48)).toBeLessThanOrEqual(13);
  });

  test('the classic block with ReLU is what the others are compared with', async () => {
    const { equal } = await blockOf(relu);
    expect(equal.parameters).toEqual(equal.compute);
    expect(equal.compute.hidden).toBe(48);
  });

  test.each([
    ['glu', glu],
    ['softplus', softplus],
    ['solu', solu],
  ] as const)('%s at equal compute needs no more FLOPs than rounding explains', async (_, formula) => {
    const total = ({ forward, backward }: Awaited<ReturnType<typeof blockOf>>['equal']['compute']): number =>
      forward.flops + backward.flops;
    const [classic, other] = [(await blockOf(relu)).equal.compute, (await blockOf(formula)).equal.compute];
    expect(Math.abs(total(other) - total(classic))).toBeLessThan(total(other) / other.hidden);
  });

  test('what is kept for the backward pass is counted where it is kept', async () => {
    // Up and its activation; gate, up and their product; up, SoLU, its norm, and what rows keep.
    const [plain, gated, normed] = [await blockOf(silu), await blockOf(swiglu), await blockOf(solu)];
    const units = (block: typeof plain): number => {
      const { keptBytes, hidden } = block.equal.parameters;
      return keptBytes / hidden / 8; // The reference stores float64.
    };
    expect(units(plain)).toBe(2);
    expect(units(gated)).toBe(3);
    expect(units(normed)).toBeGreaterThan(3);
    expect(units(normed)).toBeLessThan(3.2);
  });

  test('exponentials follow from the expressions, a custom one too', async () => {
    const perUnit = async (formula: BlockFormula): Promise<number> => {
      const { forward, hidden } = (await blockOf(formula)).equal.parameters;
      return forward.exponentials / hidden;
    };
    expect(await perUnit(relu)).toBe(0);
    expect(await perUnit(silu)).toBe(1);
    expect(await perUnit(resolveActivation('exp(x) + exp(2*x)'))).toBe(2);
    expect(await perUnit(gelu)).toBeGreaterThanOrEqual(1);
  });

  test('products count two FLOPs a weight forward and four backward', async () => {
    const { forward, backward, parameters, hidden } = (await blockOf(relu)).equal.parameters;
    const elementwise = hidden * 8;
    expect(forward.flops).toBeGreaterThanOrEqual(2 * parameters);
    expect(forward.flops).toBeLessThan(2 * parameters + elementwise);
    expect(backward.flops).toBeGreaterThanOrEqual(4 * parameters);
    expect(backward.flops).toBeLessThan(4 * parameters + elementwise);
  });

  test('a multiple that leaves no width is refused with what would fit', async () => {
    await expect(blockOf(swiglu, { multipleOf: 1000 })).rejects.toThrow(
      /swiglu has a hidden unit at least, received "?32.0 of them in multiples of 1000.*wider --hidden/,
    );
  });
});

test('every usual block is timed, heard of, drawn, and gives its memory back', async () => {
  const wasm = await openWasm({ threads: 1 });
  try {
    const heard: string[] = [];
    const formulas = usualBlocks();
    const comparison = { ...usual, formulas, tokens: 4, repetitions: 2 };
    await compareBlocks(wasm, comparison); // finds the device's own memory
    const { liveBytes } = memory(wasm);
    const blocks = await compareBlocks(wasm, comparison, (done, total, name) => heard.push(`${done}/${total} ${name}`));
    expect(heard).toEqual(formulas.map(({ name }, i) => `${i}/${formulas.length} ${name}`));
    for (const { equal } of blocks) {
      for (const { microseconds } of Object.values(equal)) {
        expect(microseconds?.forward).toBeGreaterThan(0);
        expect(microseconds?.backward).toBeGreaterThan(0);
      }
    }
    expect(memory(wasm).liveBytes).toBe(liveBytes);
    const svg = blocksSvg(blocks, comparison);
    for (const { name } of blocks) expect(svg).toContain(`>${name}</text>`);
    expect(svg).toContain('µs a token');
    expect(svg).not.toMatch(/NaN|undefined/);
  } finally {
    await wasm.close();
  }
});
