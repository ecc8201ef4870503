import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as sluice from '../../src/index.js';
import { openModel, SafetensorsFile } from '../../src/node.js';
import { toText } from '../../src/scalar/print.js';
import { checkout } from './packed.js';
import { printedBy, readPage } from './page.js';

const page = await readPage('docs/recurrent.md');

test('the page prints each cell as its expressions have it', () => {
  for (const name of sluice.cellNames) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\``)) ?? '';
    for (const [state, output] of Object.entries(sluice.findCell(name).outputs)) {
      expect(row).toContain(`\`${state}' = ${toText(output)}\``);
    }
  }
});

test('the code of the page runs, and says what it says', async () => {
  const exported = join(checkout, 'test/golden/sequence-model');
  const found = (path: string): string => path.replace('exported', exported);
  const printed = await printedBy(page, {
    openModel: (folder: string, device: sluice.Device) => openModel(found(folder), device),
    SafetensorsFile: { open: (path: string) => SafetensorsFile.open(found(path)) },
  });
  const [shapes, traced] = printed;
  expect(shapes).toEqual([
    [3, 5, 32],
    [4, 3, 16],
    [4, 3, 16],
  ]);
  expect(traced?.slice(0, 2)).toEqual(['l0', [2, 3, 6]]);
  expect(traced?.[2]).toHaveLength(36);
});
