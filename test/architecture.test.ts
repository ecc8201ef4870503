import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseSync } from 'oxc-parser';
import { expect, test } from 'vitest';

/** The rooms in order: each may import any before it, none after it. */
const rooms = [
  'base',
  'scalar',
  'kernels',
  'activations',
  'devices',
  'tensor',
  'layers',
  'models',
  'formats',
  'data',
  'training',
  'runs',
  'experiments',
  'cli',
] as const;

/** The core imports no npm package but these. */
const corePackages: Readonly<Record<string, readonly string[]>> = {
  data: ['@huggingface/tokenizers'],
  devices: ['koffi'],
};
const lastCoreRoom = rooms.indexOf('training');

const source = resolve(import.meta.dirname, '../src');

interface Import {
  readonly from: string;
  readonly to: string;
}

function importsOf(path: string): Import[] {
  const { module } = parseSync(path, readFileSync(path, 'utf8'));
  const requested = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
    ),
    ...module.dynamicImports.flatMap(({ moduleRequest }) => {
      const text = readFileSync(path, 'utf8').slice(moduleRequest.start, moduleRequest.end);
      return /^(['"]).*\1$/.test(text) ? [text.slice(1, -1)] : [];
    }),
  ];
  return requested.map((to) => ({ from: path, to }));
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(source, name));
const imports = files.flatMap(importsOf);

const roomOf = (path: string): string => relative(source, path).split('/')[0] ?? '';
const place = ({ from, to }: Import): string => `${relative(source, from)} imports ${to}`;

test('each room imports only rooms before it', () => {
  const wrong = imports.filter(({ from, to }) => {
    if (!to.startsWith('.')) return false;
    const [here, there] = [roomOf(from), roomOf(resolve(dirname(from), to))];
    if (!rooms.includes(here as never)) return false; // the entry points import whatever they offer
    return rooms.indexOf(there as never) > rooms.indexOf(here as never) || !rooms.includes(there as never);
  });
  expect(wrong.map(place)).toEqual([]);
});

test('the core imports no npm package but the tokenizers and koffi', () => {
  const wrong = imports.filter(({ from, to }) => {
    const room = roomOf(from);
    if (to.startsWith('.') || to.startsWith('node:') || to.startsWith('#')) return false;
    const index = rooms.indexOf(room as never);
    return index >= 0 && index <= lastCoreRoom && !(corePackages[room] ?? []).includes(to);
  });
  expect(wrong.map(place)).toEqual([]);
});

test('no file is over 400 lines, and the median is at most 150', () => {
  const sizes = files
    .filter((path) => !path.endsWith('coefficients.ts'))
    .map((path) => ({ path: relative(source, path), lines: readFileSync(path, 'utf8').split('\n').length }));
  expect(sizes.filter(({ lines }) => lines > 400)).toEqual([]);
  const sorted = sizes.map(({ lines }) => lines).sort((a, b) => a - b);
  expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThanOrEqual(150);
});
