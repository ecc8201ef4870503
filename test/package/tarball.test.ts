import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogue } from '../../src/activations/catalogue.js';
import { primitives } from '../../src/scalar/primitives.js';
import { bundle } from './bundle.js';
import { graphOf } from './entry-graph.js';
import { checkout, link, node, type Packed, pack } from './packed.js';

let packed: Packed;
let entries: readonly string[];

beforeAll(async () => {
  packed = await pack();
  const { exports } = JSON.parse(await readFile(join(packed.root, 'package.json'), 'utf8')) as { exports: object };
  entries = Object.keys(exports)
    .filter((path) => !path.endsWith('.json'))
    .map((path) => path.replace('.', 'sluice'));
});
afterAll(() => packed.remove());

/** The built file of an entry point. */
const fileOf = (entry: string): string =>
  join(packed.root, 'dist', `${entry === 'sluice' ? 'index' : entry.slice('sluice/'.length)}.js`);

describe('the tarball', () => {
  test('holds the command, the built library, its sources and nothing else', () => {
    const known = /^(bin\/sluice\.js|(dist|src)\/.*|LICENSE|README\.md|CHANGELOG\.md|package\.json)$/;
    expect(packed.files.filter((path) => !known.test(path))).toEqual([]);
    expect(packed.files.filter((path) => /\.(test|spec)\.|golden|\.txt$|\.safetensors$/.test(path))).toEqual([]);
    for (const path of ['bin/sluice.js', 'dist/devices/wasm/worker.js', 'dist/index.d.ts', 'src/index.ts', 'LICENSE'])
      expect(packed.files).toContain(path);
    expect(packed.bytes).toBeLessThan(2e6);
  });

  test('has nothing that its package.json does not keep the promises of', async () => {
    const { messages } = await publint({ pkgDir: packed.root, strict: true, pack: false });
    expect(messages).toEqual([]);
  });

  test('has no script that npm would ask its users to review', async () => {
    const { scripts } = JSON.parse(await readFile(join(packed.root, 'package.json'), 'utf8')) as { scripts: object };
    const reviewed = ['preinstall', 'install', 'postinstall', 'prepare'];
    expect(Object.keys(scripts).filter((name) => reviewed.includes(name))).toEqual([]);
  });

  test('runs as a command', async () => {
    const bin = join('node_modules', 'sluice', 'bin', 'sluice.js');
    expect(await node([bin, '--version'], { cwd: packed.project })).toMatchObject({ code: 0, stdout: '0.1.0\n' });
  });
});

describe('the entry points', () => {
  test('can be imported and required, say nothing, and give the same names', async () => {
    const script = `
      import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url);
      const counts = {};
      for (const entry of ${JSON.stringify(entries)}) {
        const imported = Object.keys(await import(entry));
        if (imported.join() !== Object.keys(require(entry)).join()) throw new Error(entry);
        counts[entry] = imported.length;
      }
      console.log(JSON.stringify(counts));`;
    await writeFile(join(packed.project, 'import.mjs'), script);
    const { code, stdout, stderr } = await node(['import.mjs'], { cwd: packed.project });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const counts = JSON.parse(stdout) as Record<string, number>;
    expect(Object.keys(counts)).toEqual(entries);
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(2);
  });

  test('can be required first, in a process that imports nothing', async () => {
    await writeFile(join(packed.project, 'require.cjs'), `console.log(typeof require('sluice').train);`);
    expect(await node(['require.cjs'], { cwd: packed.project })).toEqual({ code: 0, stdout: 'function\n', stderr: '' });
  });

  test('for pages reach no module of Node, and no package but the tokenizers', () => {
    const allowed: Readonly<Record<string, RegExp>> = {
      sluice: /imports @huggingface\/tokenizers$/,
      'sluice/data': /imports @huggingface\/tokenizers$/,
    };
    for (const entry of entries.filter((name) => name !== 'sluice/node')) {
      const { files, foreign } = graphOf(fileOf(entry));
      expect(files.size, entry).toBeGreaterThan(5);
      expect(foreign.filter((request) => allowed[entry]?.test(request) !== true)).toEqual([]);
    }
    expect(graphOf(fileOf('sluice/node')).foreign.some((request) => request.includes('node:fs'))).toBe(true);
  });

  test('train a model, on threads', async () => {
    const script = `
      import { ByteTokenizer, llama, openDevice, train } from 'sluice';
      const device = await openDevice('wasm', { threads: 2 });
      const model = llama(device, { vocabSize: 257, dim: 16, layers: 1, heads: 2, context: 16 });
      const tokens = new ByteTokenizer().encode('to be or not to be, that is the question '.repeat(4));
      const losses = [];
      for await (const { loss } of train(device, model, tokens, { steps: 20, lr: 1e-2 })) losses.push(loss);
      console.log(device.threads, losses.at(-1) < losses[0] - 0.5);
      await device.close();`;
    await writeFile(join(packed.project, 'train.mjs'), script);
    expect(await node(['train.mjs'], { cwd: packed.project })).toEqual({ code: 0, stdout: '2 true\n', stderr: '' });
  });
});

const consumer = `
import { activation, Formula, llama, openDevice, softmax, type StepRecord, swiglu, train } from 'sluice';
import { mish } from 'sluice/activations';
import { openWasm } from 'sluice/browser-train';
import { ByteTokenizer, type Tokenizer } from 'sluice/data';
import type { Device } from 'sluice/devices';
import { parseSafetensors } from 'sluice/formats';
import { Linear } from 'sluice/layers';
import { generate, greedy } from 'sluice/models';
import { derivative, toText } from 'sluice/scalar';
import { tensor } from 'sluice/tensor';
import { evaluate } from 'sluice/training';

const wave = activation('wave', (x, { slope }) => x.mul(slope).tanh(), { source: 'here', parameters: { slope: 2 } });
export const used: readonly unknown[] = [Formula, evaluate, Linear, mish, openWasm, parseSafetensors, tensor];
export async function main(signal: AbortSignal): Promise<readonly StepRecord[]> {
  const device: Device = await openDevice();
  const tokenizer: Tokenizer = new ByteTokenizer();
  const sizes = { vocabSize: tokenizer.vocabularySize, dim: 32, layers: 1, heads: 2, context: 32 };
  const model = llama(device, { ...sizes, feedForward: wave });
  llama(device, { ...sizes, feedForward: swiglu });
  llama(device, { ...sizes, feedForward: softmax });
  // @ts-expect-error a name is no feed-forward block
  llama(device, { ...sizes, feedForward: 'swiglu' });
  // @ts-expect-error a parameter that the formula does not name
  activation('wave', (x, { slope }) => x.mul(slope), { source: 'here', parameters: { beta: 2 } });
  const steps: StepRecord[] = [];
  for await (const step of train(device, model, tokenizer.encode(toText(derivative(wave.expression, 'x'))), { steps: 2, signal }))
    steps.push(step);
  const sampling = { ...greedy, prompt: 'a', maxTokens: 2, stop: [], seed: 0 };
  for await (const { text } of generate(device, model, tokenizer, sampling)) used.includes(text);
  return steps;
}
`;

const nodeConsumer = `
import { completeSettings, openRun, startRun } from 'sluice/node';
export async function main(): Promise<string> {
  let folder = '';
  for await (const event of startRun(completeSettings({ data: 'my.txt', steps: 10 }))) {
    if (event.kind === 'started') folder = event.run.folder;
    // @ts-expect-error a step has no such member
    if (event.kind === 'step') event.record.nothing;
  }
  return typeof openRun === 'function' ? folder : '';
}
`;

const strictest = {
  target: 'es2022',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  noImplicitOverride: true,
  noImplicitReturns: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  isolatedModules: true,
  verbatimModuleSyntax: true,
  skipLibCheck: false,
  noEmit: true,
};

describe('the types', () => {
  const typecheck = async (folder: string, source: string, options: object): Promise<string> => {
    const cwd = join(packed.project, folder);
    await mkdir(cwd, { recursive: true });
    await writeFile(join(cwd, 'consumer.ts'), source);
    const configuration = { compilerOptions: { ...strictest, ...options }, files: ['consumer.ts'] };
    await writeFile(join(cwd, 'tsconfig.json'), JSON.stringify(configuration));
    const modules = join(packed.project, 'node_modules');
    if (!existsSync(join(modules, '@types'))) await link('@types/node', modules);
    if (!existsSync(join(modules, 'undici-types'))) await link('undici-types', modules);
    const { stdout } = await node([join(checkout, 'node_modules/typescript/bin/tsc'), '-p', '.'], { cwd });
    return stdout;
  };
  const lib = ['es2023', 'esnext.disposable', 'dom'];

  test.each([
    ['with', lib],
    ['without', lib.slice(0, 2)],
  ])('hold for a strict project of Node %s the types of pages', async (_, lib) => {
    const options = { module: 'nodenext', moduleResolution: 'nodenext', types: ['node'], lib };
    expect(await typecheck('nodenext', consumer + nodeConsumer.replace('main', 'run'), options)).toBe('');
  });

  test('hold for a strict page, which has no types of Node', async () => {
    const options = { module: 'esnext', moduleResolution: 'bundler', types: [], lib };
    expect(await typecheck('bundler', consumer, options)).toBe('');
  });
});

describe('a bundle', () => {
  const pageNames =
    '{ CharTokenizer, evaluate, generate, llama, MemoryTokens, openWasm, splitText, SluiceError, train }';

  test.each([
    ['a page that trains a LLaMA on its text', pageNames, 100_000],
    ['all that a page can train and look into', '*', 130_000],
  ])('of %s has less than its share, compressed', async (_, names, most) => {
    const { gzipBytes, code } = await bundle(packed.project, `export ${names} from 'sluice/browser-train'`);
    expect(code).toContain('SharedArrayBuffer');
    expect(gzipBytes).toBeLessThan(most);
  });

  test('of one activation has no other', async () => {
    const names = catalogue()
      .map(({ name }) => name)
      .filter((name) => !Object.hasOwn(primitives, name));
    const mentioned = (code: string): string[] => names.filter((name) => new RegExp(`['"\`]${name}['"\`]`).test(code));
    for (const name of ['silu', 'gelu10', 'relu6', 'selu', 'hardSwish', 'tanhShrink', 'glu', 'solu']) {
      const { code, gzipBytes } = await bundle(packed.project, `export { ${name} } from 'sluice/activations'`);
      expect(mentioned(code)).toEqual([name]);
      expect(gzipBytes).toBeLessThan(10_000);
    }
  });
});
