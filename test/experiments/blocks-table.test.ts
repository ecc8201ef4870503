import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openWasm } from '../../src/devices/wasm/device.js';
import { withBlocksTable } from '../../src/experiments/blocks-table.js';
import { usualBlocks } from '../../src/experiments/compare-blocks.js';

test('the table of docs/feed-forward.md is what npm run generate writes', async () => {
  const page = readFileSync(new URL('../../docs/feed-forward.md', import.meta.url), 'utf8');
  const device = await openWasm({ threads: 1, deterministic: true });
  try {
    expect(await withBlocksTable(page, device)).toBe(page);
  } finally {
    await device.close();
  }
  for (const { name } of usualBlocks()) expect(page).toContain(`| \`${name}\` |`);
}, 60_000);
