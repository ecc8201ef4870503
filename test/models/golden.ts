import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { SafetensorsFile } from '../../src/formats/safetensors-file.js';

export interface Named {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

export async function readTensors(path: string): Promise<Map<string, Named>> {
  const file = await SafetensorsFile.open(path);
  const tensors = new Map<string, Named>();
  for (const name of file.names()) {
    const { shape, dtype } = file.info(name);
    const bytes = await file.read(name);
    const buffer = bytes.slice().buffer;
    tensors.set(name, { shape, data: dtype === 'I32' ? new Int32Array(buffer) : new Float32Array(buffer) });
  }
  await file.close();
  return tensors;
}

const read = (names: readonly string[]) =>
  Promise.all(
    names.map(async (name) => {
      const path = (file: string): string => fileURLToPath(new URL(`../golden/${name}/${file}`, import.meta.url));
      return {
        name,
        config: JSON.parse(await readFile(path('config.json'), 'utf8')) as Record<string, unknown>,
        weights: await readTensors(path('model.safetensors')),
        expected: await readTensors(path('expected.safetensors')),
      };
    }),
  );

/** Decoders of Transformers with what it computes of them. */
export const golden = await read(['llama', 'arcee', 'llama-head-dim', 'qwen2', 'gemma', 'gpt2', 'gpt2-xielu']);

/** Encoders, with padding. */
export const goldenEncoders = await read([
  ...['bert-words', 'bert-texts', 'modernbert-words', 'modernbert-texts', 'modernbert-tokens'],
]);

/** The largest difference, relative to the largest element. */
export function distance(actual: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(actual.length).toBe(wanted.length);
  const largest = Math.max(...Array.from(wanted, Math.abs));
  const worst = Math.max(...Array.from(wanted, (value, i) => Math.abs(value - (actual[i] ?? Number.NaN))));
  return worst / largest;
}
