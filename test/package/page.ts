/** Pages of docs/ whose code runs as it stands. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import * as sluice from '../../src/index.js';
import { checkout } from './packed.js';

type Values = Readonly<Record<string, unknown>>;
const AsyncFunction = (async () => undefined).constructor as new (
  ...source: readonly string[]
) => (...values: readonly unknown[]) => Promise<unknown>;

export const readPage = (path: string): Promise<string> => readFile(join(checkout, path), 'utf8');

/** The blocks of code in one language. */
export const blocksOf = (page: string, language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block = '']) => block);

const opened: sluice.Device[] = [];
let isClosing = false;

/** Runs statements as a script that has imported the library, and gives what it returns; `usual` is the device that is opened where none is named. */
export async function runCode(code: string, more: Values = {}, usual?: string): Promise<unknown> {
  if (!isClosing) afterAll(() => Promise.all(opened.map((device) => device.close())));
  isClosing = true;
  const scope = {
    ...sluice,
    openDevice: async (name = usual) => {
      const device = await sluice.openDevice(name, { threads: 1 });
      opened.push(device);
      return device;
    },
    ...more,
  };
  const body = code.replaceAll(/^import .*$/gm, '');
  return new AsyncFunction(...Object.keys(scope), `'use strict'; ${body}`)(...Object.values(scope));
}

/** What a page's blocks of JavaScript print, as arguments of console.log; a block that opens a device begins anew. */
export async function printedBy(page: string, more: Values = {}): Promise<unknown[][]> {
  const programs: string[] = [];
  for (const block of blocksOf(page, 'js')) {
    if (programs.length === 0 || block.includes('await openDevice(')) programs.push(block);
    else programs.push(`${programs.pop()}\n${block}`);
  }
  const printed: unknown[][] = [];
  const console = { log: (...values: unknown[]) => printed.push(values) };
  for (const program of programs) await runCode(program, { console, ...more }, 'wasm');
  return printed;
}
