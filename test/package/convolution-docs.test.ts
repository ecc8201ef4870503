import { describe, expect, test } from 'vitest';
import { complete } from '../../src/runs/complete.js';
import { checkSettings, settingType } from '../../src/runs/settings.js';
import { blocksOf, printedBy, readPage } from './page.js';

const document = await readPage('docs/convolution.md');

describe('docs/convolution.md', () => {
  test('shows code that prints what its comments say', async () => {
    const [code = ''] = blocksOf(document, 'js');
    const printed = (await printedBy(document)).map(([value]) => `[ ${(value as readonly number[]).join(', ')} ]`);
    const said = [...code.matchAll(/console\.log.*\/\/ (\[.*\])$/gm)].map(([, text]) => text);
    expect(said.length).toBe(2);
    expect(printed).toEqual(said);
  });

  const lines = blocksOf(document, 'sh').flatMap((block) => block.trimEnd().split('\n'));
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
