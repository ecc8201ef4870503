import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const bin = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));
const isBuilt = existsSync(new URL('../../dist/cli/main.js', import.meta.url));

test('without dist the command says how to build it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  copyFileSync(bin, join(folder, 'bin', 'sluice.js'));
  const { status, stderr, stdout } = spawnSync(process.execPath, [join(folder, 'bin', 'sluice.js')], {
    encoding: 'utf8',
  });
  rmSync(folder, { recursive: true });
  expect([status, stdout, stderr]).toEqual([1, '', 'not built: npm run build\n']);
});

// `npm test` builds first; vitest alone may run on a fresh clone.
describe.skipIf(!isBuilt)('the built command', () => {
  const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', env: { ...process.env, ...env } });

  test('tells the version of package.json', () => {
    expect(run(['--version'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  test('exits with 2 for wrong usage', () => {
    expect(run(['activations', 'shwo'])).toMatchObject({ status: 2, stdout: '' });
  });

  test('writes no colours into a pipe, and honours FORCE_COLOR and NO_COLOR', () => {
    const args = ['activations', 'eval', 'relu', '--x=1', '--device', 'reference'];
    const colour = '\u001b[';
    expect(run(args, { NO_COLOR: '', FORCE_COLOR: '0' }).stdout).not.toContain(colour);
    expect(run(args, { NO_COLOR: '', FORCE_COLOR: '1' }).stdout).toContain(colour);
    expect(run(args, { NO_COLOR: '1', FORCE_COLOR: '1' }).stdout).not.toContain(colour);
  });

  test('is silent when its reader goes away', async () => {
    const child = spawn(process.execPath, [bin, 'activations', 'list', '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let error = '';
    child.stderr.on('data', (chunk: Buffer) => {
      error += chunk.toString();
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect([code, error]).toEqual([0, '']);
  });
});
