import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import * as sluice from '../../src/index.js';
import { toText } from '../../src/scalar/print.js';
import { checkout } from './packed.js';

const page = await readFile(join(checkout, 'docs/recurrent.md'), 'utf8');
const opened: sluice.Device[] = [];
afterAll(() => Promise.all(opened.map((device) => device.close())));

test('the page prints each cell as its expressions have it', () => {
  for (const name of sluice.cellNames) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\``)) ?? '';
    for (const [state, output] of Object.entries(sluice.findCell(name).outputs)) {
      expect(row).toContain(`\`${state}' = ${toText(output)}\``);
    }
  }
});

test('the code of the page runs, and says what it says', async () => {
  const code = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, block = '']) => block);
  expect(code.length).toBeGreaterThan(4);
  const said: unknown[][] = [];
  const scope = {
    ...sluice,
    console: { log: (...values: unknown[]) => said.push(values) },
    openDevice: async () => {
      const device = await sluice.openDevice('wasm', { threads: 1 });
      opened.push(device);
      return device;
    },
  };
  const AsyncFunction = (async () => undefined).constructor as new (
    ...source: readonly string[]
  ) => (...values: readonly unknown[]) => Promise<unknown>;
  await new AsyncFunction(...Object.keys(scope), `'use strict'; ${code.join('\n')}`)(...Object.values(scope));
  expect(said).toEqual([
    [
      [3, 5, 32],
      [4, 3, 16],
      [4, 3, 16],
    ],
  ]);
});
