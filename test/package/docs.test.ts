import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout, node } from './packed.js';

const isBuilt = existsSync(join(checkout, 'dist/index.js'));

/** Without a compiler's first runs. */
const env = { SLUICE_CC: 'none' };

let project: string;
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'sluice-docs-'));
  await mkdir(join(project, 'node_modules'));
  await symlink(checkout, join(project, 'node_modules/sluice'));
  await cp(join(checkout, 'examples/sonnets.txt'), join(project, 'my.txt'));
});
afterAll(() => rm(project, { recursive: true, force: true }));

/** The words of a command line, quoted ones without their quotes. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');

describe.each(['inspection.md', 'backpropagation.md'])('docs/%s', async (name) => {
  const text = await readFile(join(checkout, 'docs', name), 'utf8');
  const blocksOf = (language: string): string[] =>
    [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block = '']) => block);
  const commands = blocksOf('sh').map((block) => block.trimEnd().split('\n'));

  test('has commands', () => {
    expect(commands.flat().length).toBeGreaterThan(3);
  });

  test.skipIf(!isBuilt).each(commands)('has commands that run as they stand: %s, ...', async (...lines) => {
    for (const line of lines) {
      const [npx, sluice, ...words] = wordsOf(line);
      expect([npx, sluice]).toEqual(['npx', 'sluice']);
      const { code, stdout } = await node([join(checkout, 'bin/sluice.js'), ...words], { cwd: project, env });
      expect({ line, code }).toEqual({ line, code: 0 });
      expect(stdout.length, line).toBeGreaterThan(0);
    }
  });

  test.skipIf(!isBuilt)('has code that runs as it stands', async () => {
    for (const block of blocksOf('js')) {
      await writeFile(join(project, 'snippet.mjs'), block);
      const { code, stdout, stderr } = await node(['snippet.mjs'], { cwd: project, env });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^activations\.2 sigmoid 0 0 /m);
    }
  });

  test('shows pictures that are there', () => {
    const pictures = [...text.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, path = '']) => path);
    expect(pictures.length).toBeGreaterThan(0);
    for (const path of pictures) expect(existsSync(join(checkout, 'docs', path)), path).toBe(true);
  });
});
