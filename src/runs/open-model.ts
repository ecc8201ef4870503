import { join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import type { Device } from '../devices/device.js';
import { Initializer } from '../layers/initialization.js';
import type { CausalModel } from '../models/causal-model.js';
import { loadWeights } from './checkpointing.js';
import { lenet1989Codec, lenetCodec } from './codecs/lenet.js';
import { bagCodec, mlpCodec } from './codecs/mlp.js';
import { perceptronCodec } from './codecs/perceptron.js';
import { forecasterCodec, recurrentCodec, sequenceCodec } from './codecs/recurrent.js';
import { readDesign } from './open-run.js';
import { readJson, readRecord, runFiles } from './run-folder.js';
import { causalModelTypes } from './tasks/causal-models.js';

const codecs = [
  ...[mlpCodec, bagCodec, perceptronCodec, lenetCodec, lenet1989Codec],
  ...[sequenceCodec, forecasterCodec, recurrentCodec],
] as const;

/** A model of examples, or layers of one. */
export type ExampleNetwork = ReturnType<(typeof codecs)[number]['build']>;

/**
 * Opens a trained model, its weights loaded: one of examples by its config.json alone, one of text by its run.
 * @throws SluiceError `checkpoint` that names the file and the key, or the tensor, for one that is missing or does not fit.
 */
export async function openModel(folder: string, device: Device): Promise<ExampleNetwork | CausalModel> {
  const stored = await readJson(folder, runFiles.config);
  const model = await build(folder, stored, device);
  await loadWeights(folder, model);
  return model;
}

async function build(folder: string, stored: Readonly<Record<string, unknown>>, device: Device) {
  const { model_type: type } = stored;
  const codec = codecs.find((known) => known.type === type);
  if (codec !== undefined) return codec.build(new Initializer(device, 0), folder, stored);
  if (causalModelTypes.includes(type as string)) {
    return (await readDesign(folder, await readRecord(folder))).build(device, 0);
  }
  const known = [...codecs.map(({ type }) => type), ...causalModelTypes];
  throw new SluiceError('checkpoint', {
    rule: `in ${join(folder, runFiles.config)} model_type is one of ${known.join(', ')}`,
    received: type,
    remedy: didYouMean(String(type), known, 'Restore the file as Sluice wrote it.'),
  });
}
