import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { randomInteger, randomKey } from '../../src/base/random.js';
import type { Terminal } from '../../src/cli/terminal.js';
import { type Ran, sluice } from '../support/terminal.js';

/** A folder for this file's tests, which goes with them. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-runs-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const words = ['the', 'whale', 'sea', 'ship', 'captain', 'old', 'white', 'ran', 'swam', 'saw', 'a', 'of', 'and'];

/** Paragraphs of random words. */
export function prose(paragraphs = 60, vocabulary: readonly string[] = words, space = ' '): string {
  const key = randomKey(1, 'noise');
  return Array.from({ length: paragraphs }, (_, i) => {
    const chosen = Array.from({ length: 20 }, (_x, j) => vocabulary[randomInteger(key, 20 * i + j, vocabulary.length)]);
    return `${chosen.join(space)}.\n`;
  }).join('\n');
}

/** A text file in the folder; gives its path. */
export function writeText(folder: string, name = 'text.txt', text: string | Uint8Array = prose()): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** A model that trains in milliseconds. */
export const tiny = [
  ...['--dim', '8', '--layers', '1', '--heads', '2', '--hidden', '8', '--context', '8', '--batch', '2'],
  ...['--tokenizer', 'byte', '--steps', '3', '--threads', '1'],
];

/** `sluice train` with the tiny model; flags given later win. */
export const train = (args: readonly string[], terminal: Partial<Terminal> = {}): Promise<Ran> =>
  sluice(['train', ...tiny, ...args], terminal);

export const readJson = (...path: readonly string[]): Record<string, unknown> =>
  JSON.parse(readFileSync(join(...path), 'utf8')) as Record<string, unknown>;

export interface MetricsLine {
  readonly step: number;
  readonly loss?: number;
  readonly validationLoss?: number;
}

export const readMetrics = (run: string): MetricsLine[] =>
  readFileSync(join(run, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as MetricsLine);
