import { join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { writeFileAtomically } from '../formats/durable.js';
import type { TensorReader } from '../formats/safetensors-file.js';
import { openSafetensors } from '../formats/safetensors-sharded.js';
import { writeSafetensors } from '../formats/safetensors-write.js';
import { namedFor, untiedPair } from '../formats/weight-names.js';
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

/**
 * Fills a model from its folder, whole or in shards, however its tensors are spelled; one that does not fit is given up.
 * Gives the names of the tensors that it has no use for.
 * @throws SluiceError `checkpoint` that names the tensors which are missing, unexpected or of another shape.
 */
export async function loadWeights(folder: string, model: Layer): Promise<readonly string[]> {
  try {
    return await withWeights(folder, async (file) => {
      const { weights, leftOut } = namedFor(file, namesOf(model));
      await model.load(weights);
      return leftOut;
    });
  } catch (error) {
    model.dispose();
    throw error;
  }
}

const namesOf = (model: Layer): string[] => [
  ...model.namedParameters().map(({ name }) => name),
  ...model.namedConstants().keys(),
];

async function withWeights<T>(folder: string, use: (file: TensorReader) => Promise<T>): Promise<T> {
  const file = await openSafetensors(folder);
  return use(file).finally(() => file.close());
}

/** The tensors of a folder, by their names there. */
export const weightNames = (folder: string): Promise<readonly string[]> =>
  withWeights(folder, async (file) => file.names());

/**
 * Whether a folder has another head than the embedding that the model shares with it: then the weights are believed, not
 * config.json's tie_word_embeddings.
 */
export async function hasOwnHead(folder: string, model: Layer): Promise<boolean> {
  try {
    return await withWeights(folder, async (file) => {
      const pair = untiedPair(file, namesOf(model));
      return pair !== undefined && !(await areSame(file, ...pair));
    });
  } catch (error) {
    model.dispose();
    throw error;
  }
}

async function areSame(file: TensorReader, one: string, other: string): Promise<boolean> {
  if (file.info(one).shape.join() !== file.info(other).shape.join()) return false;
  const others = file.float32Pieces(other)[Symbol.asyncIterator]();
  for await (const piece of file.float32Pieces(one)) {
    const { value } = await others.next();
    if (!(value instanceof Float32Array) || piece.some((x, i) => !Object.is(x, value[i]))) return false;
  }
  return true;
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
