import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sluice } from '../support/terminal.js';
import { temporaryFolder } from './runs.js';

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const explain = (...args: readonly string[]) => sluice(['explain', ...args]);

interface Explained {
  readonly layers: readonly { readonly weight: { readonly value: number[][]; readonly updated: number[][] } }[];
  readonly loss: { readonly value: number };
  readonly autograd: { readonly largestDifference: number };
}

describe('explain', () => {
  test('alone shows a textbook example, with its numbers put in', async () => {
    const { code, out, error } = await explain();
    expect([code, error]).toEqual([0, '']);
    expect(out).toMatch(/^ {2}z_1\[1\] = 0\.15 \* 0\.05 \+ 0\.2 \* 0\.1 \+ 0\.35 = 0\.3775$/m);
    expect(out).toMatch(/^ {2}delta_2\[1\] = 0\.741365 \* 0\.186816 = 0\.138499$/m);
    expect(out).toMatch(/^ {2}delta_1\[1\] = \(0\.4 \* 0\.138499\) \* 0\.241301 = 0\.0133679$/m);
    expect(out).toMatch(/^ {2}W_2\[1,1\] +0\.4 +0\.082167 += {1,2}delta_2\[1\] \* a_1\[1\] +0\.358916$/m);
    expect(out).toMatch(/^Gradients by autograd \(reference\): /m);
  });

  test('shows the derivatives of the expressions that are given', async () => {
    const { out } = await explain(
      '--activation',
      'x*tanh(softplus(x))',
      '--loss',
      'mse',
      '--widths',
      '1,1',
      '--lr',
      '1',
    );
    expect(out).toMatch(/^ {2}sigma\(z\) += {1,2}z\*tanh\(softplus\(z\)\)$/m);
    expect(out).toMatch(/^ {2}sigma'\(z\) += {1,2}.*sigmoid\(z\)/m);
  });

  test('goes on from what it wrote: a second step of descent has a smaller loss', async () => {
    const first = (await explain('--json')).json() as Explained;
    const layers = first.layers.map((layer) => ({ ...layer, weight: layer.weight.updated }));
    writeFileSync(path('weights.json'), JSON.stringify({ layers }));
    const second = (
      await explain('--json', '--weights', path('weights.json'), '--input', '0.05,0.1', '--target', '0.01')
    ).json() as Explained;
    expect(second.layers[0]?.weight.value).toEqual(first.layers[0]?.weight.updated);
    expect(second.loss.value).toBeLessThan(first.loss.value);
  });

  test('goes through time, and draws it', async () => {
    const svg = path('rnn.svg');
    const { code, out } = await explain('--recurrent', '--input', '1;-1;0.5', '--target', '0;1;-1', '--svg', svg);
    expect(code).toBe(0);
    expect(out).toMatch(/^an RNN over 3 time steps of 1 > 2 > 1 units, tanh/);
    expect(out).toMatch(/^ {2}delta_1\[1\] += {1,2}\(.* \+ .*\) \* /m);
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg /);
  });

  test('draws other weights for another seed, and the same for the same', async () => {
    const weights = async (seed: string) =>
      ((await explain('--seed', seed, '--json')).json() as Explained).layers[0]?.weight.value;
    expect(await weights('1')).toEqual(await weights('1'));
    expect(await weights('1')).not.toEqual(await weights('2'));
  });

  test.each<[string, readonly string[], number, RegExp]>([
    ['numbers that are none', ['--input', '1,x'], 2, /numbers with commas/],
    ['a learning rate of 0', ['--lr', '0'], 2, /--lr/],
    ['an input too many', ['--widths', '2,1', '--input', '1,2,3'], 2, /--input has 2 finite numbers/],
    ['an unknown loss', ['--loss', 'mze'], 2, /Did you mean "mse"/],
    ['missing weights', ['--weights', path('missing.json')], 2, /missing\.json can be read/],
    ['weights that are no JSON', ['--weights', import.meta.filename], 2, /holds JSON/],
    ['a word', ['sigmoid'], 2, /flags alone/],
  ])('refuses %s', async (_, args, wanted, message) => {
    const { code, out, error } = await explain(...args);
    expect([code, out]).toEqual([wanted, '']);
    expect(error).toMatch(message);
  });
});
