/** Writes docs/activations.md and docs/optimizers.md from the built library. */
import { mkdirSync, writeFileSync } from 'node:fs';

async function generate() {
  const { openWasm } = await import('../dist/devices/wasm/device.js');
  const { cataloguePage } = await import('../dist/experiments/catalogue-page.js');
  const { optimizersPage } = await import('../dist/experiments/optimizers-page.js');
  const device = await openWasm({ threads: 1, deterministic: true });
  try {
    mkdirSync(new URL('../docs/', import.meta.url), { recursive: true });
    writeFileSync(new URL('../docs/activations.md', import.meta.url), await cataloguePage(device));
    writeFileSync(new URL('../docs/optimizers.md', import.meta.url), optimizersPage());
    console.log('wrote docs/activations.md and docs/optimizers.md');
  } finally {
    await device.close();
  }
}

generate();
