import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout, node } from './packed.js';

const isBuilt = existsSync(join(checkout, 'dist/index.js'));
let project: string;
let snippet: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'sluice-readme-'));
  const readme = await readFile(join(checkout, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```[jt]s\n(.*?)^```$/gms)].map(([, block = '']) => block);
  snippet = blocks.find((block) => block.includes("from 'sluice'")) ?? '';
});
afterAll(() => rm(project, { recursive: true, force: true }));

describe("the README's snippet", () => {
  test('trains a model in at most 15 lines', () => {
    expect(snippet).toMatch(/train\(/);
    expect(snippet.trimEnd().split('\n').length).toBeLessThanOrEqual(15);
  });

  test.skipIf(!isBuilt)('runs as it stands, on a text of the reader', async () => {
    await mkdir(join(project, 'node_modules'));
    await symlink(checkout, join(project, 'node_modules/sluice'));
    await cp(join(checkout, 'examples/sonnets.txt'), join(project, 'my.txt'));
    await writeFile(join(project, 'snippet.mjs'), snippet.replace(/steps: \d+/, 'steps: 3'));
    const { code, stdout, stderr } = await node(['snippet.mjs'], { cwd: project });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^1 \d.*\n2 \d.*\n3 \d/);
  });
});
