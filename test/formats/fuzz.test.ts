import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);

test('damaged safetensors files and indexes are read or refused, whatever the damage', async () => {
  const { stdout } = await run(process.execPath, ['scripts/fuzz-safetensors.js', '--inputs', '20000', '--seed', '7']);
  expect(stdout).toMatch(/^20000 inputs, \d+ outcomes/m);
  expect(stdout).toMatch(/^\d{3,}\ta file was read$/m);
  expect(stdout).toMatch(/^\d{3,}\tan index was read$/m);
  expect(stdout).toMatch(/a JSON object must not repeat a key/);
});
