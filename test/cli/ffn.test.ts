import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sluice } from '../support/terminal.js';
import { temporaryFolder } from './runs.js';

const folder = temporaryFolder();
const ffn = (...args: readonly string[]) => sluice(['ffn', '--dim', '12', '--device', 'reference', ...args]);

interface Sized {
  readonly hidden: number;
  readonly parameters: number;
  readonly keptBytes: number;
  readonly forward: { readonly flops: number; readonly exponentials: number };
  readonly microseconds?: { readonly forward: number };
}
interface Compared {
  readonly dim: number;
  readonly hidden: number;
  readonly blocks: readonly { readonly name: string; readonly equal: Record<'parameters' | 'compute', Sized> }[];
}

describe('ffn', () => {
  test('sets blocks side by side in two tables, with the time left on standard error', async () => {
    const { code, out, error } = await ffn('--activation', 'relu', '--ffn', 'swiglu', '--tokens', '2');
    expect(code).toBe(0);
    expect(out).toMatch(/^At equal parameters\nblock +width +parameters +MFLOP forward +backward +kept KiB/m);
    expect(out).toMatch(/^swiglu +32 +1,152 /m);
    expect(out).toContain('At equal compute');
    expect(error).toMatch(/^2\/2 {2}swiglu {2}\d+ s left$/m);
  });

  test('gives scripts one object, and draws', async () => {
    const svg = join(folder, 'blocks.svg');
    const { out } = await ffn(
      '--json',
      '--quiet',
      '--tokens',
      '2',
      '--out',
      svg,
      '--ffn',
      'solu',
      '--activation',
      'x*x',
    );
    const { dim, hidden, blocks } = JSON.parse(out) as Compared;
    expect([dim, hidden, blocks.map(({ name }) => name)]).toEqual([12, 48, ['x*x', 'solu']]);
    expect(blocks[0]?.equal.parameters).toMatchObject({ hidden: 48, parameters: 1152, forward: { exponentials: 0 } });
    expect(blocks[1]?.equal.parameters.microseconds?.forward).toBeGreaterThan(0);
    expect(readFileSync(svg, 'utf8')).toContain('>x*x</text>');
  });

  test('leaves times out when asked, and takes the whole catalogue', async () => {
    const { out } = await ffn('--all', '--no-timing', '--json', '--quiet');
    const { blocks } = JSON.parse(out) as Compared;
    expect(blocks.length).toBeGreaterThan(40);
    for (const { equal } of blocks) {
      expect(equal.parameters.microseconds).toBeUndefined();
      expect(equal.parameters.keptBytes).toBeGreaterThan(0);
    }
  });

  test.each([
    [['--ffn', 'swiglo'], /swiglo.*Did you mean "?swiglu/],
    [['--activation', 'gelo'], /gelo.*Did you mean "?gelu/],
    [['--dim', '0'], /whole number from 1/],
    [['swiglu'], /Did you mean --ffn swiglu/],
  ])('%j is wrong usage', async (args, message) => {
    const { code, error } = await ffn(...args);
    expect([code, error.match(message) === null ? error : 'said']).toEqual([2, 'said']);
  });
});
