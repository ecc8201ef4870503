import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const source = new URL('../../src/data/', import.meta.url);
/** The files that touch the disk; all others run in a page. */
const disk = ['load-tokenizer', 'mnist', 'moby-dick', 'read-text', 'split-corpus', 'text', 'token-file', 'write-file'];

const importsOf = (name: string): string[] => {
  const text = readFileSync(new URL(name, source), 'utf8');
  return [...text.matchAll(/^(?:import|export) (?!type\b)[^;]*?from '([^']+)';/gms)].map((match) => match[1] ?? '');
};

test('only the files that touch the disk import from Node, and no other file imports those', () => {
  const names = readdirSync(source).filter((name) => name.endsWith('.ts'));
  const fromNode = names.filter((name) => importsOf(name).some((path) => path.startsWith('node:')));
  for (const name of fromNode) expect(disk.map((file) => `${file}.ts`)).toContain(name);
  for (const name of names.filter((name) => !disk.includes(name.slice(0, -3)))) {
    for (const path of importsOf(name)) expect(disk.map((file) => `./${file}.js`)).not.toContain(path);
  }
  expect(fromNode.length).toBeGreaterThan(3);
});
