import { SluiceError } from '../base/errors.js';
import type { TensorReader } from '../formats/safetensors-file.js';
import type { SafetensorsEntry } from '../formats/safetensors-write.js';
import type { Layer } from '../layers/layer.js';
import type { Tensor } from '../tensor/index.js';
import { type CheckpointPart, jsonPart, tensorsPart } from '../training/checkpoints.js';
import type { Checkpoint } from '../training/checkpoints-read.js';
import type { Trainer } from '../training/trainer.js';
import { type RunState, stateName } from './run-state.js';

const parts = { weights: 'model.safetensors', optimizer: 'optimizer.safetensors' } as const;

const entry = (name: string, tensor: Tensor): SafetensorsEntry => ({
  name,
  dtype: 'F32',
  shape: tensor.shape,
  bytes: async () => {
    const values = Float32Array.from(await tensor.toArray());
    return new Uint8Array(values.buffer);
  },
});

/** The weights under Hugging Face's names. */
export const weightEntries = (model: Layer): SafetensorsEntry[] =>
  model.namedParameters().map(({ name, tensor }) => entry(name, tensor));

/** Everything that a resumed run needs to go on bit for bit. */
export function checkpointParts(trainer: Trainer, state: RunState): CheckpointPart[] {
  const optimizer = [...trainer.optimizer.state()].map(([name, tensor]) => entry(name, tensor));
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
    await loadWeights(trainer.model, weights);
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

/**
 * Fills a model from a file, a tensor at a time.
 * @throws SluiceError `checkpoint` that names the first tensor which is missing, unexpected or of another shape; the model
 * is then as it was.
 */
export async function loadWeights(model: Layer, reader: TensorReader): Promise<void> {
  const parameters = model.namedParameters();
  const names = new Set(parameters.map(({ name }) => name));
  const unexpected = reader.names().find((name) => !names.has(name));
  const refuse = (rule: string, received: unknown): SluiceError =>
    new SluiceError('checkpoint', {
      rule,
      received,
      remedy: 'config.json and the weights belong to different models.',
    });
  if (unexpected !== undefined) throw refuse('a weight file has only tensors of its model', unexpected);
  for (const { name, tensor } of parameters) {
    if (!reader.names().includes(name)) throw refuse(`a weight file has the tensor ${name}`, 'none');
    const { shape } = reader.info(name);
    if (shape.join() !== tensor.shape.join()) throw refuse(`${name} has the shape [${tensor.shape.join(', ')}]`, shape);
  }
  for (const { name, tensor } of parameters) tensor.write(await reader.readFloat32(name));
}
