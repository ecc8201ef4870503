import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkout, link, node } from './packed.js';

/** An installation that lacks parts of what builds: what `npm ci --omit=dev` and `--omit=optional` leave. */
let folder: string;
const script = 'scripts/build.js';
const remedy = 'sluice: not built, since TypeScript is not all installed: npm ci --include=dev --include=optional\n';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-build-'));
  for (const name of ['package.json', script]) await cp(join(checkout, name), join(folder, name), { recursive: true });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** TypeScript without the package that holds the compiler for this platform. */
async function compilerWithoutPlatform(): Promise<void> {
  const typescript = join(folder, 'node_modules/typescript');
  await mkdir(typescript, { recursive: true });
  await writeFile(join(typescript, 'package.json'), '{ "name": "typescript", "version": "7.0.2" }');
}

describe.each([
  ['production dependencies only', async () => {}],
  ['no optional dependencies', compilerWithoutPlatform],
  ['a compiler, but no types of Node', () => link('typescript', join(folder, 'node_modules'))],
] as const)('with %s', (_, install) => {
  test('an install succeeds without a warning', async () => {
    await install();
    expect(await node([script, '--if-possible'], { cwd: folder })).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('a build, and so a start, fails and says in one line what to do', async () => {
    await install();
    expect(await node([script], { cwd: folder })).toEqual({ code: 1, stdout: '', stderr: remedy });
  });
});

describe('with everything', () => {
  beforeEach(async () => {
    await link('typescript', join(folder, 'node_modules'));
    await link('@types/node', join(folder, 'node_modules'));
    await link('undici-types', join(folder, 'node_modules'));
    await cp(join(checkout, 'tsconfig.json'), join(folder, 'tsconfig.json'));
    await mkdir(join(folder, 'src'));
    await mkdir(join(folder, 'dist'));
    await writeFile(join(folder, 'dist/left.js'), '');
  });
  const build = (...flags: string[]) => node([script, ...flags], { cwd: folder });
  const runs = async (name: string): Promise<boolean> => (await node([`dist/${name}.js`], { cwd: folder })).code === 0;

  test('a build compiles, and only a clean one removes what earlier ones left', async () => {
    await writeFile(join(folder, 'src/index.ts'), 'export const one: number = 1;\n');
    expect(await build()).toMatchObject({ code: 0 });
    expect([await runs('index'), await runs('left')]).toEqual([true, true]);
    expect(await build('--clean')).toMatchObject({ code: 0 });
    expect([await runs('index'), await runs('left')]).toEqual([true, false]);
  });

  test('a type error fails the build', async () => {
    await writeFile(join(folder, 'src/index.ts'), "export const one: number = 'one';\n");
    expect(await build()).toMatchObject({ code: 2, stdout: expect.stringContaining('TS2322') });
  });
});
