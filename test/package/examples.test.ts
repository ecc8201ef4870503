import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout, node } from './packed.js';

const isBuilt = existsSync(join(checkout, 'dist/index.js'));
const examples = join(checkout, 'examples');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-examples-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const example = (name: string, ...args: string[]) => node([join(examples, name, 'index.js'), ...args], { cwd: folder });

// They import the built library; `npm test` builds first.
describe.skipIf(!isBuilt)('the examples', () => {
  test('node-script trains on a text until the loss falls, and writes', async () => {
    const { code, stdout, stderr } = await example('node-script', join(examples, 'sonnets.txt'), '50');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const losses = [...stdout.matchAll(/loss ([\d.]+)/g)].map(([, loss]) => Number(loss));
    expect(losses).toHaveLength(2);
    expect(losses[1]).toBeLessThan((losses[0] ?? 0) - 0.5);
    expect(stdout.split('\n').slice(2).join('\n')).toMatch(/^Shall[\s\S]{30,60}\n$/);
  });

  test('node-script is under 15 lines of code', async () => {
    const text = await readFile(join(examples, 'node-script/index.js'), 'utf8');
    expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('/**')).length).toBeLessThan(15);
  });

  test('custom-activation shows its derivative, and finds its formula in the run again', async () => {
    const { code, stdout, stderr } = await example('custom-activation', '10');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const formula = 'max(x, 0) + x*exp(-(x*x))';
    expect(stdout).toContain(`f(x)  = ${formula}\n`);
    expect(stdout).toContain("f'(1) = 0.632120558828557");
    expect(stdout).toContain(`has f(x) = ${formula}\n`);
    const [run = ''] = await readdir(join(folder, 'runs'));
    expect(await readFile(join(folder, 'runs', run, 'run.json'), 'utf8')).toContain(formula);
  });

  test('browser typechecks', async () => {
    const args = [join(checkout, 'node_modules/typescript/bin/tsc'), '-p', join(examples, 'browser')];
    expect(await node(args, { cwd: checkout })).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});
