import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import * as sluice from '../../src/index.js';
import { complete } from '../../src/runs/complete.js';
import { checkSettings, settingType } from '../../src/runs/settings.js';
import { checkout } from './packed.js';

const document = await readFile(join(checkout, 'docs/convolution.md'), 'utf8');
const blocksOf = (language: string): string[] =>
  [...document.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block = '']) => block);

type Run = (...values: readonly unknown[]) => Promise<void>;
const AsyncFunction = (async () => undefined).constructor as new (...source: readonly string[]) => Run;

describe('docs/convolution.md', () => {
  test('shows code that prints what its comments say', async () => {
    const [code = ''] = blocksOf('js');
    const printed: string[] = [];
    const console = { log: (value: readonly number[]) => printed.push(`[ ${value.join(', ')} ]`) };
    const openDevice = () => sluice.openDevice('wasm', { threads: 1 });
    const scope = { ...sluice, openDevice, console };
    const body = code.replace(/^import .*$/m, '');
    await new AsyncFunction(...Object.keys(scope), `'use strict'; ${body}`)(...Object.values(scope));
    const said = [...code.matchAll(/console\.log.*\/\/ (\[.*\])$/gm)].map(([, text]) => text);
    expect(said.length).toBe(2);
    expect(printed).toEqual(said);
  });

  const lines = blocksOf('sh').flatMap((block) => block.trimEnd().split('\n'));
  test.each(lines.filter((line) => line.includes(' train ')))('%s is settings that a run takes', (line) => {
    const words = line.replace(/ +#.*/, '').split(' ').slice(3);
    const given: Record<string, unknown> = {};
    for (let i = 0; i < words.length; i += 2) {
      const name = (words[i] ?? '').slice(2).replaceAll(/-[a-z]/g, (part) => part.slice(1).toUpperCase());
      const value = words[i + 1] ?? '';
      given[name] = /^(integer|number)$/.test(settingType(name as never)) ? Number(value) : value;
    }
    expect(complete(checkSettings(given, 'the page')).steps).toBeGreaterThan(0);
  });
});
