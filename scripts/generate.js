/** Writes docs/activations.md, docs/optimizers.md and the table of docs/feed-forward.md from the built library. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

async function generate() {
  const { openWasm } = await import('../dist/devices/wasm/device.js');
  const { cataloguePage } = await import('../dist/experiments/catalogue-page.js');
  const { optimizersPage } = await import('../dist/experiments/optimizers-page.js');
  const { withBlocksTable } = await import('../dist/experiments/blocks-table.js');
  const blocks = new URL('../docs/feed-forward.md', import.meta.url);
  const device = await openWasm({ threads: 1, deterministic: true });
  try {
    mkdirSync(new URL('../docs/', import.meta.url), { recursive: true });
    writeFileSync(new URL('../docs/activations.md', import.meta.url), await cataloguePage(device));
    writeFileSync(new URL('../docs/optimizers.md', import.meta.url), optimizersPage());
    writeFileSync(blocks, await withBlocksTable(readFileSync(blocks, 'utf8'), device));
    console.log('wrote docs/activations.md, docs/optimizers.md and docs/feed-forward.md');
  } finally {
    await device.close();
  }
}

generate();
