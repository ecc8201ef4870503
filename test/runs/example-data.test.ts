import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Examples } from '../../src/data/examples.js';
import { loadExamples, saveData } from '../../src/runs/tasks/example-data.js';

const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('texts begin where they began, however many tokens come before', async () => {
  const encoding = {
    inputs: [{ kind: 'text', name: 'text', vocabularySize: 257 }],
    target: { kind: 'words', name: 'label', words: ['a', 'b'] },
    missing: 'refuse',
  } as const;
  // Odd, and beyond the whole numbers that a float32 holds.
  const offsets = Int32Array.of(0, 2 ** 23, 2 ** 24 + 1, 2 ** 24 + 4);
  const inputs = new Float32Array(2 ** 24 + 4);
  const examples: Examples = { count: 3, width: 1, inputs, offsets, targets: Int32Array.of(0, 1, 0) };
  await saveData(folder, { encoding, training: examples, validation: examples });
  const loaded = await loadExamples(folder, 'validationExamples', encoding);
  expect(loaded.offsets).toEqual(offsets);
  expect(loaded.targets).toEqual(examples.targets);
});
