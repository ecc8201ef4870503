import { describe, expect, test } from 'vitest';
import { gelu, relu, silu, softmax, step, swiglu } from '../../src/activations/index.js';
import { curveOver, extentOf } from '../../src/experiments/curves.js';
import { plotSvg } from '../../src/experiments/plot-svg.js';

describe('a curve', () => {
  test('goes from end to end and has the derivatives of its formula', () => {
    const { x, y, dy, d2y } = curveOver(silu, [-2, 3], 11);
    expect([x[0], x.at(-1), x.length]).toEqual([-2, 3, 11]);
    const at = x.indexOf(0);
    expect([y[at], dy[at], d2y[at]]).toEqual([0, 0.5, 0.5]);
  });

  test('has a gap where the value or the slope jumps, and only there', () => {
    const [jumping, bent] = [curveOver(step, [-1, 1], 11), curveOver(relu, [-1, 1], 11)];
    const gaps = (values: readonly number[], x: readonly number[]): number[] =>
      x.filter((_, i) => Number.isNaN(values[i] ?? Number.NaN));
    expect(gaps(jumping.y, jumping.x)).toEqual([0]);
    expect(gaps(bent.y, bent.x)).toEqual([]);
    expect(gaps(bent.dy, bent.x)).toEqual([0]);
  });

  test('of a gate runs over the gate at value 1', () => {
    const { label, y } = curveOver(swiglu, [-1, 1], 3);
    expect(label).toBe('swiglu(x, 1)');
    expect(y).toEqual(curveOver(silu, [-1, 1], 3).y);
  });

  test('of a row function is refused, as is an empty range', () => {
    expect(() => curveOver(softmax, [-1, 1])).toThrow('a function of one number');
    expect(() => curveOver(relu, [1, 1])).toThrow('from a number to a larger one');
    expect(() => curveOver(relu, [0, Number.POSITIVE_INFINITY])).toThrow('from a number to a larger one');
  });

  test('of a constant has an extent that is not empty', () => {
    const [low, high] = extentOf([{ label: '0', x: [0], y: [0], dy: [0], d2y: [0] }], 'y');
    expect(high).toBeGreaterThan(low);
  });
});

describe('an SVG plot', () => {
  test('is a document of its own with a panel for each derivative', async () => {
    const text = await plotSvg([curveOver(silu, [-5, 5])]);
    expect(text).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="\d+" height="\d+"/);
    expect(text.match(/<svg /g)).toHaveLength(4);
    expect(text.match(/aria-label="line"/g)).toHaveLength(3);
    for (const title of ['f(x)', 'f′(x)', 'f″(x)']) expect(text).toContain(title);
  });

  test('labels every line in its colour', async () => {
    const text = await plotSvg([silu, gelu, relu].map((activation) => curveOver(activation, [-5, 5])));
    for (const name of ['silu', 'gelu', 'relu']) expect(text.match(new RegExp(`>${name}</text>`, 'g'))).toHaveLength(3);
    expect(text.match(/aria-label="line"/g)).toHaveLength(9);
  });

  test('holds no coordinate that is not a number', async () => {
    expect(await plotSvg([curveOver(step, [-1, 1])])).not.toContain('NaN');
  });
});
