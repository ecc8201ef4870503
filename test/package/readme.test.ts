import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CharTokenizer } from '../../src/data/char-tokenizer.js';
import { saveTokenizer } from '../../src/data/load-tokenizer.js';
import { type HubServer, hubServer } from '../runs/hub/hub-server.js';
import { checkout, node } from './packed.js';

const isBuilt = existsSync(join(checkout, 'dist/index.js'));
const readme = await readFile(join(checkout, 'README.md'), 'utf8');
const blocksOf = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block = '']) => block);
const code = blocksOf('[jt]s');
const snippet = code.find((block) => block.includes("from 'sluice'")) ?? '';
const commands = blocksOf('sh')
  .flatMap((block) => block.trimEnd().split('\n'))
  .map((line) => line.replace(/ +#.*/, ''));
const inline = [...readme.matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text);

let project: string;
let hub: HubServer;
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'sluice-readme-'));
  await mkdir(join(project, 'node_modules'));
  await symlink(checkout, join(project, 'node_modules/sluice'));
  for (const name of ['my.txt', 'other.txt']) await cp(join(checkout, 'examples/sonnets.txt'), join(project, name));
  const rows = Array.from({ length: 120 }, (_, i) => `${i},${(10 + Math.sin(i / 2)).toFixed(3)}`);
  await writeFile(join(project, 'sales.csv'), ['day,sold', ...rows].join('\n'));
});
beforeAll(async () => {
  const model = join(project, 'model');
  await cp(join(checkout, 'test/golden/llama'), model, { recursive: true });
  await saveTokenizer(model, new CharTokenizer(['\n', 'a', 'b'], { endOfText: true }));
  const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  const files = await Promise.all(names.map(async (name) => [name, await readFile(join(model, name))] as const));
  hub = await hubServer(Object.fromEntries(files), 'HuggingFaceTB/SmolLM2-135M');
});
afterAll(async () => {
  await hub[Symbol.asyncDispose]();
  await rm(project, { recursive: true, force: true });
});

async function runCode(text: string): Promise<string> {
  await writeFile(join(project, 'snippet.mjs'), text);
  const { code, stdout, stderr } = await node(['snippet.mjs'], { cwd: project });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

describe("the README's code", () => {
  test('trains a model in at most 15 lines', () => {
    expect(snippet).toMatch(/train\(/);
    expect(snippet.trimEnd().split('\n').length).toBeLessThanOrEqual(15);
  });

  test.skipIf(!isBuilt)('runs as it stands, on a text of the reader', async () => {
    expect(await runCode(snippet.replace(/steps: \d+/, 'steps: 3'))).toMatch(/^1 \d.*\n2 \d.*\n3 \d/);
  });

  test('shows the source as it is', async () => {
    const others = code.filter((block) => block !== snippet);
    expect(others.length).toBeGreaterThan(0);
    const sources = await Promise.all(
      (await readdir(join(checkout, 'src/activations')))
        .filter((name) => name.endsWith('.ts'))
        .map((name) => readFile(join(checkout, 'src/activations', name), 'utf8')),
    );
    for (const block of others) expect(sources.some((source) => source.includes(block))).toBe(true);
  });

  test.skipIf(!isBuilt)('defines an activation in a line, and trains with it', async () => {
    const [definition = ''] = inline.filter((text) => text.startsWith('const '));
    const [use = ''] = inline.filter((text) => text.startsWith('llama('));
    const sizes = 'vocabSize: 5, dim: 8, layers: 1, heads: 2, context: 8';
    const output = await runCode(`
      import { activation, llama, openDevice, train } from 'sluice';
      const device = await openDevice('wasm', { threads: 1 });
      ${definition};
      const model = ${use.replace('...', sizes)};
      const tokens = Array.from({ length: 40 }, (_, i) => i % 5);
      for await (const { step } of train(device, model, tokens, { steps: 2, signal: AbortSignal.timeout(60_000) })) console.log(step);
      console.log(model.config.feedForward.name);
      await device.close();`);
    expect(output).toBe('1\n2\nwave\n');
  });
});

/** Later flags win: the same command on a model that is trained in a moment. */
const small = '--steps 2 --batch 2 --context 16 --dim 16 --layers 1 --heads 2 --quiet'.split(' ');

/** The words of a command line, quoted ones without their quotes. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');

describe("the README's commands", () => {
  test('of npm are scripts of the package', async () => {
    const { scripts } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as { scripts: object };
    const named = commands.flatMap((line) => /npm (?:run )?(start|test|\w+)$/.exec(line)?.[1] ?? []);
    expect(named).toEqual(expect.arrayContaining(['start', 'test']));
    for (const name of named) expect(Object.keys(scripts)).toContain(name);
  });

  test.skipIf(!isBuilt)('of sluice run as they stand, one after the other, on small models', async () => {
    const lines = commands.filter((line) => line.startsWith('npx sluice '));
    const env = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: join(project, 'cache'), HF_TOKEN: '', HF_HUB_OFFLINE: '' };
    expect(lines.length).toBeGreaterThan(8);
    for (const line of lines) {
      const words = wordsOf(line).slice(2);
      const isNew = words[0] === 'train' && !words.includes('--resume');
      const shape = words.includes('--task') ? ['--steps', '2', '--quiet'] : small;
      const extra = isNew ? shape : words[0] === 'generate' ? ['--max-tokens', '3'] : [];
      const args = [join(checkout, 'bin/sluice.js'), ...words, ...extra];
      const { code, stdout } = await node(args, { cwd: project, env });
      expect({ line, code }).toEqual({ line, code: 0 });
      expect(stdout.length, line).toBeGreaterThan(0);
    }
  });
});
