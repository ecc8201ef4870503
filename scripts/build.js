/** Compiles src/ to dist/. With --if-possible a missing compiler is one line and success: installs must not fail. */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const optional = process.argv.includes('--if-possible');

function compiler() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  } catch {
    return undefined;
  }
}

const tsc = compiler();
if (tsc === undefined) {
  console.error('sluice: not built, since the TypeScript compiler is not installed. Install with development and optional dependencies, then: npm run build');
  process.exit(optional ? 0 : 1);
}
const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.json')], { stdio: 'inherit' });
process.exit(optional ? 0 : (status ?? 1));
