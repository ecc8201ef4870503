import { tensorEntry, weightEntries } from '../formats/weights.js';
import { type CheckpointPart, jsonPart, tensorsPart } from '../training/checkpoints.js';
import type { Checkpoint } from '../training/checkpoints-read.js';
import type { Trainer } from '../training/trainer.js';

/** The state of a run beside its tensors. All randomness follows from the seed and the step. */
export interface RunState {
  readonly step: number;
  /** Optimizer steps in all: fixed once, so that a resumed schedule is the same. */
  readonly steps: number;
  readonly bestValidationLoss: number;
}

const parts = { weights: 'model.safetensors', optimizer: 'optimizer.safetensors', state: 'state.json' } as const;

/** Everything that a resumed run needs to go on bit for bit. */
export function checkpointParts(trainer: Trainer, state: RunState): CheckpointPart[] {
  const optimizer = [...trainer.optimizer.state()].map(([name, tensor]) => tensorEntry(name, tensor));
  return [
    tensorsPart(parts.weights, weightEntries(trainer.model)),
    tensorsPart(parts.optimizer, optimizer),
    jsonPart(parts.state, state),
  ];
}

export const readState = async (checkpoint: Checkpoint): Promise<RunState> =>
  (await checkpoint.readJson(parts.state)) as RunState;

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
