import { join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { writeFileAtomically } from '../formats/durable.js';
import { SafetensorsFile } from '../formats/safetensors-file.js';
import { writeSafetensors } from '../formats/safetensors-write.js';
import { tensorEntry, weightEntries } from '../formats/weights.js';
import type { Layer } from '../layers/layer.js';
import type { Tensor } from '../tensor/index.js';
import { type CheckpointPart, jsonPart, tensorsPart } from '../training/checkpoints.js';
import type { Checkpoint } from '../training/checkpoints-read.js';
import type { Learner } from '../training/learner.js';
import { runFiles } from './run-folder.js';
import { type RunState, stateName } from './run-state.js';

const parts = { weights: 'model.safetensors', optimizer: 'optimizer.safetensors' } as const;

/** Everything that a resumed run needs to go on bit for bit. */
export function checkpointParts(trainer: Learner, state: RunState): CheckpointPart[] {
  const optimizer = [...stateOf(trainer)].map(([name, tensor]) => tensorEntry(name, tensor));
  return [
    tensorsPart(parts.weights, weightEntries(trainer.model)),
    tensorsPart(parts.optimizer, optimizer),
    jsonPart(stateName, state),
  ];
}

/** What is learned with, and what is carried on. */
const stateOf = (trainer: Learner): Map<string, Tensor> =>
  new Map([...(trainer.optimizer?.state() ?? []), ...(trainer.carried?.() ?? [])]);

/** Writes a model's weights into its run's folder. */
export async function saveWeights(folder: string, model: Layer): Promise<void> {
  await writeFileAtomically(join(folder, runFiles.weights), (sink) => writeSafetensors(sink, weightEntries(model)));
}

/** The state of another optimizer would be taken for this one's. */
function checkState({ optimizer }: Learner, found: readonly string[], wanted: readonly string[]): void {
  const other = [...wanted.filter((name) => !found.includes(name)), ...found.filter((name) => !wanted.includes(name))];
  if (other.length === 0) return;
  throw new SluiceError('checkpoint', {
    rule: `a checkpoint has the state of the run's optimizer ${optimizer?.rule.name ?? 'none'}: ${wanted.slice(0, 4).join(', ')}, ...`,
    received: found.slice(0, 4),
    remedy: 'run.json and the checkpoint belong to different runs: restore run.json, or train anew.',
  });
}

/** Fills a model from its run's folder; one that does not fit is given up. @throws SluiceError `checkpoint`. */
export async function loadWeights(folder: string, model: Layer): Promise<void> {
  try {
    const weights = await SafetensorsFile.open(join(folder, runFiles.weights));
    await model.load(weights).finally(() => weights.close());
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Reads a checkpoint's tensors into a trainer. @throws SluiceError `checkpoint` for tensors that are not the model's. */
export async function restoreTrainer(trainer: Learner, checkpoint: Checkpoint): Promise<void> {
  const weights = await checkpoint.openTensors(parts.weights);
  try {
    await trainer.model.load(weights);
  } finally {
    await weights.close();
  }
  const optimizer = await checkpoint.openTensors(parts.optimizer);
  try {
    const state = stateOf(trainer);
    checkState(trainer, optimizer.names(), [...state.keys()]);
    for (const [name, tensor] of state) tensor.write(await optimizer.readFloat32(name));
  } finally {
    await optimizer.close();
  }
}
