/**
 * Compiles src/ to dist/ and copies the C and the Python that are read at run time. With --if-possible a missing compiler is silent success: installs must neither fail nor warn,
 * and whoever starts what is not built is told. With --clean nothing of an earlier build is left, as a package needs it.
 * After installs it runs as `postprepare`: of a `prepare` script npm warns those who install the tarball.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const optional = process.argv.includes('--if-possible');

/** TypeScript keeps its compiler in an optional package per platform; each part may be missing. */
function compiler() {
  const { resolve } = createRequire(import.meta.url);
  try {
    resolve('@types/node/package.json');
    const typescript = resolve('typescript/package.json');
    createRequire(typescript).resolve(`@typescript/typescript-${process.platform}-${process.arch}/package.json`);
    return join(dirname(typescript), 'bin', 'tsc');
  } catch {
    return undefined;
  }
}

const tsc = compiler();
if (tsc === undefined && optional) process.exit(0);
if (tsc === undefined) {
  console.error('sluice: not built, since TypeScript is not all installed: npm ci --include=dev --include=optional');
  process.exit(1);
}
if (process.argv.includes('--clean')) rmSync(join(root, 'dist'), { recursive: true, force: true });
const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.json')], { stdio: 'inherit' });
for (const name of readdirSync(join(root, 'src'), { recursive: true })) {
  if (!/\.(c|h|py)$/.test(name)) continue;
  mkdirSync(dirname(join(root, 'dist', name)), { recursive: true });
  cpSync(join(root, 'src', name), join(root, 'dist', name));
}
process.exit(optional ? 0 : (status ?? 1));
