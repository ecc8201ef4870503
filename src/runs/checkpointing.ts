import { tensorEntry, weightEntries } from '../formats/weights.js';
import { type CheckpointPart, jsonPart, tensorsPart } from '../training/checkpoints.js';
import type { Checkpoint } from '../training/checkpoints-read.js';
import type { Trainer } from '../training/trainer.js';
import { type RunState, stateName } from './run-state.js';

const parts = { weights: 'model.safetensors', optimizer: 'optimizer.safetensors' } as const;

/** Everything that a resumed run needs to go on bit for bit. */
export function checkpointParts(trainer: Trainer, state: RunState): CheckpointPart[] {
  const optimizer = [...trainer.optimizer.state()].map(([name, tensor]) => tensorEntry(name, tensor));
  return [
    tensorsPart(parts.weights, weightEntries(trainer.model)),
    tensorsPart(parts.optimizer, optimizer),
    jsonPart(stateName, state),
  ];
}

/** Reads a checkpoint's tensors into a trainer. @throws SluiceError `checkpoint` for tensors that are not the model's. */
export async function restoreTrainer(trainer: Trainer, checkpoint: Checkpoint): Promise<void> {
  const weights = await checkpoint.openTensors(parts.weights);
  try {
    await trainer.model.load(weights);
  } finally {
    await weights.close();
  }
  const optimizer = await checkpoint.openTensors(parts.optimizer);
  try {
    for (const [name, tensor] of trainer.optimizer.state()) tensor.write(await optimizer.readFloat32(name));
  } finally {
    await optimizer.close();
  }
}
