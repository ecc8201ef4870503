import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { swiglu } from '../../src/activations/gates.js';
import { complete } from '../../src/runs/complete.js';
import { readDesign } from '../../src/runs/open-run.js';
import { type RunRecord, readRecord, writeRecord } from '../../src/runs/run-folder.js';
import { errorOf } from '../formats/make-safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'sluice-record-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'run.json');

const record: RunRecord = {
  formatVersion: 1,
  settings: complete({ data: 'my.txt', dim: 16 }),
  feedForward: swiglu.toJSON(),
  versions: { sluice: '0.1.0', node: 'v20' },
};
const { settings, feedForward } = record;

describe('the record of a run', () => {
  test('reads back as it was written', async () => {
    await writeRecord(folder, record);
    expect(await readRecord(folder)).toEqual(record);
  });

  test('of an older version has the defaults of what was added since', async () => {
    const { keep: _, ...older } = settings;
    writeFileSync(path, JSON.stringify({ ...record, settings: older }));
    expect((await readRecord(folder)).settings).toEqual(settings);
  });

  test.each<[string, unknown, RegExp]>([
    [
      'of a newer format',
      { formatVersion: 2, other: true },
      /of format version 1, received 2\. A newer Sluice wrote it/,
    ],
    ['of another program', { wandb: '0.18' }, /of format version 1, received undefined\. It is of another program/],
    ['that is a list', [record], /holds a JSON object, received "\[/],
    ['that is null', null, /holds a JSON object, received "null"/],
    ['without settings', { ...record, settings: undefined }, /settings is given, received undefined/],
    ['with a setting unknown', { ...record, settings: { ...settings, dmi: 3 } }, /settings\.dmi is known .* "dmi"/],
    [
      'with a setting missing',
      { ...record, settings: { ...settings, hidden: undefined } },
      /settings\.hidden is given/,
    ],
    [
      'with a setting of another type',
      { ...record, settings: { ...settings, dim: '8' } },
      /settings\.dim is a number, received "8"/,
    ],
    [
      'with a setting out of range',
      { ...record, settings: { ...settings, batch: 0 } },
      /settings\.batch is at least 1, received 0/,
    ],
    ['without a block', { ...record, feedForward: undefined }, /feedForward is given, received undefined/],
    [
      'with a cell as block',
      { ...record, feedForward: { ...feedForward, kind: 'cell' } },
      /feedForward\.kind is .*, received "cell"/,
    ],
    [
      'with a formula that is no text',
      { ...record, feedForward: { ...feedForward, expression: 5 } },
      /feedForward\.expression is a string, received 5/,
    ],
    [
      'with a parameter that is no number',
      { ...record, feedForward: { ...feedForward, parameters: { beta: { value: null, learned: false } } } },
      /feedForward\.parameters\.beta\.value is a number, received null/,
    ],
    ['without versions', { ...record, versions: 1 }, /versions is an object, received 1/],
  ])('%s is refused by one error that names the file', async (_, content, message) => {
    writeFileSync(path, JSON.stringify(content));
    const error = await errorOf(() => readRecord(folder));
    expect(error).toMatchObject({ code: 'checkpoint', remedy: expect.stringMatching(/\.$/) });
    expect(error.message).toContain(path);
    expect(error.message).toMatch(message);
  });

  test('with a formula that cannot be read names the file and the place', async () => {
    writeFileSync(join(folder, 'config.json'), '{}');
    const broken = { ...record, feedForward: { ...feedForward, expression: 'gate*vlaue' } };
    const error = await errorOf(() => readDesign(folder, broken));
    expect(error.code).toBe('checkpoint');
    expect(error.message).toContain(`in ${path} feedForward.expression is a formula, received "gate*vlaue"`);
    expect(error.message).toContain('Did you mean "value"?');
  });
});
