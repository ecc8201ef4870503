import { afterAll, describe, expect, test } from 'vitest';
import { randomKey, randomNormal, randomUniform } from '../../../src/base/random.js';
import type { Device, View } from '../../../src/devices/device.js';
import { openNative } from '../../../src/devices/native/device.js';
import { openReference } from '../../../src/devices/reference/index.js';
import { columnKernel, mapKernel, rowKernel } from '../../../src/kernels/kernel.js';
import { variable, variables } from '../../../src/scalar/expression.js';
import { hasCompiler, place, randomValues } from '../../support/devices.js';
import { error32 } from '../../support/ulp.js';
import { type RowCase, rowCases } from './row-cases.js';

const lengths = [0, 1, 15, 16, 17, 63, 64, 65, 1000, 1024, 4096];
const rows = 5;

describe.skipIf(!hasCompiler)('rows on the native device', async () => {
  const reference = await openReference();
  const natives = hasCompiler ? await Promise.all([1, 2, 3].map((threads) => openNative({ threads }))) : [];
  const [one = reference, ...others] = natives;
  afterAll(() => Promise.all([reference, ...natives].map((device) => device.close())));

  const run = async (on: Device, work: (on: Device) => readonly View[]): Promise<number[][]> => {
    const read = await Promise.all(work(on).map((view) => on.read(view)));
    return read.map((values) => [...values]);
  };

  /** Within 1e-6 of the largest value, or of `least`; NaN and infinities as the reference's; the same bits for any threads. */
  const agrees = async (work: (on: Device) => readonly View[], least = 1e-3): Promise<void> => {
    const [actual, expected] = [await run(one, work), await run(reference, work)];
    for (const [k, exact] of expected.entries()) {
      const scale = Math.max(least, ...exact.filter(Number.isFinite).map(Math.abs));
      const wrong = exact.flatMap((wanted, i) => {
        const got = actual[k]?.[i] ?? Number.POSITIVE_INFINITY;
        const rounded = Math.fround(wanted);
        const isRight = Number.isFinite(rounded) ? Math.abs(got - wanted) <= 1e-6 * scale : Object.is(got, rounded);
        return isRight ? [] : [{ i, got, wanted }];
      });
      expect(wrong.slice(0, 3)).toEqual([]);
    }
    for (const other of others) expect(await run(other, work)).toEqual(actual);
  };

  const values = (length: number): number[] => randomValues(rows * length, length + 1, 4);

  describe.each(rowCases)('$name', (rowCase: RowCase) => {
    test.each(lengths)('value and gradients agree with float64 on rows of %i', async (length) => {
      const least = length === 1 ? 1 : 1e-3; // the gradient of a norm of one element is nothing but rounding
      await agrees((on) => rowCase.run(on, { rows, length, x: values(length) }), least);
    });

    test('NaN and infinities stay in their rows', async () => {
      const length = 70;
      const x = values(length);
      [x[3], x[length + 66]] = [Number.NaN, Number.POSITIVE_INFINITY];
      [x[2 * length + 1], x[2 * length + 69]] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
      x.fill(Number.NEGATIVE_INFINITY, 3 * length, 4 * length);
      await agrees((on) => rowCase.run(on, { rows, length, x }));
    });
  });

  const [x, y, n, position, r] = variables('x', 'y', 'n', 'position', 'r');

  test('a row may be written over one that it is computed from, and rows may lie apart', async () => {
    const kernel = rowKernel({ elements: ['x', 'y'], outputs: [x.sub(x.maximum()).exp().mul(y), x.mul(y).sum()] });
    await agrees((on) => {
      const wide = { ...place(on, [rows, 50], randomValues(rows * 50, 3)), shape: [rows, 37] };
      const repeated = { ...place(on, [37], randomValues(37, 4)), shape: [rows, 37], strides: [0, 1] };
      const sums = place(on, [rows], new Float32Array(rows));
      on.row(kernel, {
        rows,
        length: 37,
        elements: [wide, repeated],
        columns: [],
        perRow: [],
        scalars: [],
        outputs: [wide, sums],
      });
      return [{ ...wide, shape: [rows, 50] }, sums];
    });
  });

  test('int32 operands count as the numbers they are, beyond what float32 holds', async () => {
    const kernel = rowKernel({ elements: ['n'], rows: ['r'], outputs: [n.sub(r).sum(), n.maximum().sub(r), n.sub(r)] });
    const whole = Array.from({ length: rows * 19 }, (_, i) => 2 ** 30 + i);
    await agrees((on) => {
      const outputs = [[rows], [rows], [rows, 19]].map((shape) => place(on, shape, new Float32Array(rows * 19)));
      const elements = [place(on, [rows, 19], whole, 'int32')];
      const perRow = [
        place(
          on,
          [rows],
          [0, 1, 2, 3, 4].map((i) => 2 ** 30 - i),
          'int32',
        ),
      ];
      on.row(kernel, { rows, length: 19, elements, columns: [], perRow, scalars: [], outputs });
      return [outputs[0], outputs[1], outputs[2]].flatMap((view) => view ?? []);
    });
  });

  test('a target outside of the row, or between two positions, picks nothing', async () => {
    const isHere = position.sub(r).abs();
    const kernel = rowKernel({
      elements: ['x'],
      rows: ['r'],
      outputs: [isHere.whereLess(0.5, x.mul(2), 0).sum(), x.sub(isHere.whereLess(0.5, x.sum(), 0))],
    });
    const targets = [-1, 17, 2.5, 16.4, Number.NaN];
    await agrees((on) => {
      const outputs = [place(on, [rows], new Float32Array(rows)), place(on, [rows, 17], new Float32Array(rows * 17))];
      const elements = [place(on, [rows, 17], values(17))];
      const perRow = [place(on, [rows], targets)];
      on.row(kernel, { rows, length: 17, elements, columns: [], perRow, scalars: [], outputs });
      return outputs;
    });
  });

  test('the weights of a softmax are within 2 ULP, however large what they are made of', async () => {
    const kernel = rowKernel({ elements: ['x'], rows: ['r'], outputs: [x.sub(x.maximum()).exp(), x.sub(r).exp()] });
    const length = 4000;
    const from = Array.from({ length }, (_, i) => Math.fround(60 - (i * 87) / length));
    const view = place(one, [1, length], from);
    const outputs = [0, 1].map(() => place(one, [1, length], new Float32Array(length)));
    const perRow = [place(one, [1], [Math.fround(-25.3)])];
    one.row(kernel, { rows: 1, length, elements: [view], columns: [], perRow, scalars: [], outputs });
    for (const [k, largest] of [60, Math.fround(-25.3)].entries()) {
      const weights = await one.read(outputs[k] ?? view);
      const worst = from.reduce((most, v, i) => Math.max(most, error32(weights[i] ?? 0, Math.exp(v - largest))), 0);
      expect(worst).toBeLessThan(2);
    }
  });

  test.each([1, 2, 15, 16, 17, 500, 2048])('columns are summed over %i rows', async (count) => {
    const kernel = columnKernel({ elements: ['x'], rows: ['r'], outputs: [x.mul(r), x] });
    for (const length of count > 100 ? [17] : [1, 17, 600]) {
      for (const accumulate of [false, true]) {
        await agrees((on) => {
          const outputs = [place(on, [length], randomValues(length, 6)), place(on, [length], randomValues(length, 7))];
          const elements = [place(on, [count, length], randomValues(count * length, 8))];
          const perRow = [place(on, [count], randomValues(count, 9))];
          on.column(kernel, { rows: count, length, elements, columns: [], perRow, scalars: [], outputs }, accumulate);
          return outputs;
        });
      }
    }
  });

  test('what is added to one row of a table is added in the order of the indices', async () => {
    const [count, width] = [300, 200];
    const source = randomValues(count * width, 11);
    const indices = Array.from({ length: count }, (_, i) => (i * i) % 7);
    const expected = new Float32Array(9 * width);
    for (const [i, row] of indices.entries())
      for (let j = 0; j < width; j++) {
        const at = row * width + j;
        expected[at] = (expected[at] ?? 0) + (source[i * width + j] ?? 0);
      }
    for (const on of natives) {
      const table = place(on, [9, width], new Float32Array(9 * width));
      on.scatterAdd(place(on, [count, width], source), place(on, [count], indices, 'int32'), table);
      expect(await on.read(table)).toEqual(expected);
    }
  });

  test('an index that the table does not have is refused', () => {
    const table = place(one, [4, 3], new Float32Array(12));
    const output = place(one, [2, 3], new Float32Array(6));
    for (const index of [-1, 4]) {
      const indices = place(one, [2], [0, index], 'int32');
      expect(() => one.gather(table, indices, output)).toThrow(/index into a table of 4 rows/);
      expect(() => one.scatterAdd(output, indices, table)).toThrow(/index into a table of 4 rows/);
    }
  });

  test('indices that were looked at are looked at again when they change', async () => {
    const table = place(one, [4, 3], new Float32Array(12));
    const output = place(one, [2, 3], new Float32Array(6));
    const indices = place(one, [2], [0, 3], 'int32');
    const other = place(one, [2], [0, 4], 'int32');
    const copy = mapKernel({ inputs: ['x'], scalars: [], outputs: [variable('x')] });
    for (const change of [() => one.write([4, 0], indices), () => one.map(copy, [other], [], [indices])]) {
      one.write([0, 3], indices);
      one.gather(table, indices, output);
      change();
      await one.synchronize(); // compiled, so that the refusal comes at once
      expect(() => one.scatterAdd(output, indices, table)).toThrow(/received 4/);
    }
    const small = place(one, [3, 3], new Float32Array(9));
    one.write([0, 3], indices);
    one.gather(table, indices, output);
    expect(() => one.gather(small, indices, output)).toThrow(/received 3/);
  });

  test('uniform numbers have the bits of the reference, normal ones its float32', async () => {
    const count = 5000;
    const key = randomKey(3, 'dropout', 1);
    for (const [distribution, draw] of [['uniform', randomUniform] as const, ['normal', randomNormal] as const]) {
      const view = place(one, [count], new Float32Array(count));
      one.random(distribution, key, view);
      const drawn = await one.read(view);
      const worst = [...drawn].reduce((most, value, i) => Math.max(most, Math.abs(value - draw(key, i))), 0);
      expect(worst).toBeLessThanOrEqual(distribution === 'uniform' ? 0 : 3e-7);
      for (const other of others) {
        const again = place(other, [count], new Float32Array(count));
        other.random(distribution, key, again);
        expect(await other.read(again)).toEqual(drawn);
      }
    }
  });
});
