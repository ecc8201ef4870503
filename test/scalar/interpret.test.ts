import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundleChild } from '../formats/child-process.js';

test('formulas work where code made from strings is forbidden', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-strict-'));
  try {
    const child = await bundleChild(join(import.meta.dirname, 'strict-child.ts'), folder);
    const ran = spawnSync(process.execPath, ['--disallow-code-generation-from-strings', child], { encoding: 'utf8' });
    expect(ran.stderr).toBe('');
    const { isForbidden, value, slope, onDevice } = JSON.parse(ran.stdout) as Record<string, number>;
    expect(isForbidden).toBe(true);
    // mish(1) and mish'(1)
    expect(value).toBeCloseTo(0.8650983882673103, 14);
    expect(slope).toBeCloseTo(1.0490362200997922, 14);
    expect(onDevice).toBe(Math.fround(0.8650983882673103));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
