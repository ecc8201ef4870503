import { float32Entry } from '../../src/formats/safetensors-write.js';
import { type CheckpointPart, jsonPart, saveCheckpoint, tensorsPart } from '../../src/training/checkpoints.js';
import type { Checkpoint } from '../../src/training/checkpoints-read.js';
import type { MemoryFileSystem } from '../formats/memory-file-system.js';

/** Parts whose every byte depends on the step, so that a mix of two steps shows. */
export function partsOf(step: number, size = 50): CheckpointPart[] {
  const tensors = (scale: number) => [
    float32Entry(
      'w',
      [size],
      Float32Array.from({ length: size }, (_, i) => step * scale + i),
    ),
    float32Entry('b', [1], new Float32Array([step])),
  ];
  return [
    tensorsPart('model.safetensors', tensors(1)),
    tensorsPart('optimizer.safetensors', tensors(1000)),
    jsonPart('state.json', { step, bestLoss: Number.NaN, seed: 2n ** 64n - BigInt(step) }),
  ];
}

/** The step that all the parts of a checkpoint agree on; throws when they do not. */
export async function stepOf(checkpoint: Checkpoint): Promise<number> {
  const state = await checkpoint.readJson('state.json');
  const steps = [checkpoint.step, Object(state).step];
  for (const [name, scale] of [
    ['model.safetensors', 1],
    ['optimizer.safetensors', 1000],
  ] as const) {
    const file = await checkpoint.openTensors(name);
    const [b] = await file.readFloat32('b');
    const w = await file.readFloat32('w');
    await file.close();
    steps.push(b, ...w.map((value, i) => (value - i) / scale));
  }
  if (new Set(steps).size !== 1) throw new Error(`a mix of steps: ${[...new Set(steps)]}`);
  return checkpoint.step;
}

/** A run in memory with durable checkpoints of these steps. */
export async function runWith(fs: MemoryFileSystem, ...steps: number[]): Promise<string> {
  await fs.mkdir('/run');
  for (const step of steps) await saveCheckpoint('/run', step, partsOf(step), { fs });
  fs.settle();
  return '/run';
}
