/** config.json of models of examples: all that it takes to make one, whose weights are in model.safetensors beside it. */
import { join } from 'node:path';
import * as v from 'valibot';
import { readFormula } from '../activations/catalogue.js';
import type { Activation, StoredFormula } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import type { Device } from '../devices/device.js';
import { SafetensorsFile } from '../formats/safetensors-file.js';
import { Initializer } from '../layers/initialization.js';
import { schemeNames } from '../layers/initialization-schemes.js';
import { type BagConfig, BagOfTokens } from '../models/bag-of-tokens.js';
import { Lenet, Lenet1989, type PoolingName, poolings } from '../models/lenet.js';
import { Mlp, type MlpConfig } from '../models/mlp.js';
import { Perceptron, type PerceptronOptions } from '../models/perceptron.js';
import { readJson, runFiles, storedFormula } from './run-folder.js';
import { issueRule } from './settings.js';

type Json = Readonly<Record<string, unknown>>;

const shapeOf = ({ inputs, hidden, outputs, activation, surrogate, initialization, dropout }: MlpConfig): Json => ({
  input_size: inputs,
  hidden_sizes: hidden,
  output_size: outputs,
  activation: activation.toJSON(),
  surrogate: surrogate?.toJSON() ?? null,
  initialization,
  dropout,
  dtype: 'float32',
});

/** config.json of an MLP. */
export const encodeMlp = (config: MlpConfig): Json => ({
  architectures: ['Mlp'],
  model_type: 'mlp',
  ...shapeOf(config),
});

/** config.json of a bag of tokens: `input_size` is the width of a token's vector. */
export const encodeBag = ({ vocabSize, mlp }: BagConfig): Json => ({
  architectures: ['BagOfTokens'],
  model_type: 'bag',
  vocab_size: vocabSize,
  ...shapeOf(mlp),
});

/** config.json of a perceptron: `outputs` are those of its two classes. */
export const encodePerceptron = ({ inputs, outputs = '0/1' }: PerceptronOptions): Json => ({
  architectures: ['Perceptron'],
  model_type: 'perceptron',
  input_size: inputs,
  outputs,
  dtype: 'float32',
});

interface LenetConfig {
  readonly side: number;
  readonly outputs: number;
  readonly activation: Activation;
  /** Of LeNet-5; the network of 1989 has none. */
  readonly pooling: PoolingName | undefined;
}

/** config.json of a LeNet. */
export const encodeLenet = ({ side, outputs, activation, pooling }: LenetConfig): Json => ({
  architectures: [pooling === undefined ? 'Lenet1989' : 'Lenet'],
  model_type: pooling === undefined ? 'lenet1989' : 'lenet',
  image_size: side,
  output_size: outputs,
  activation: activation.toJSON(),
  ...(pooling === undefined ? {} : { pooling }),
  dtype: 'float32',
});

const size = v.pipe(v.number(), v.integer('is a whole number'), v.minValue(1, 'is at least 1'));
const shape = {
  input_size: size,
  hidden_sizes: v.array(size),
  output_size: size,
  activation: storedFormula,
  surrogate: v.nullable(storedFormula),
  initialization: v.picklist(schemeNames, `is one of ${schemeNames.join(', ')}`),
  dropout: v.pipe(v.number(), v.minValue(0, 'is at least 0'), v.ltValue(1, 'is below 1')),
};
const images = { image_size: size, output_size: size, activation: storedFormula };
const poolingNames = Object.keys(poolings) as PoolingName[];
const configSchema = v.variant(
  'model_type',
  [
    v.object({ model_type: v.literal('mlp'), ...shape }),
    v.object({ model_type: v.literal('bag'), vocab_size: size, ...shape }),
    v.object({ model_type: v.literal('perceptron'), input_size: size, outputs: v.picklist(['0/1', '-1/1']) }),
    v.object({ model_type: v.literal('lenet'), ...images, pooling: v.picklist(poolingNames) }),
    v.object({ model_type: v.literal('lenet1989'), ...images }),
  ],
  'is mlp, bag, perceptron, lenet or lenet1989',
);
type StoredConfig = v.InferOutput<typeof configSchema>;

function mlpOf(path: string, stored: Extract<StoredConfig, { readonly hidden_sizes: number[] }>): MlpConfig {
  const { input_size, hidden_sizes, output_size, activation, surrogate, initialization, dropout } = stored;
  return {
    inputs: input_size,
    hidden: hidden_sizes,
    outputs: output_size,
    activation: activationOf(path, activation),
    surrogate: surrogate === null ? undefined : activationOf(path, surrogate),
    ...{ initialization, dropout },
  };
}

function activationOf(path: string, stored: StoredFormula): Activation {
  try {
    return readFormula({ ...stored, kind: 'activation' }) as Activation;
  } catch (cause) {
    throw new SluiceError('checkpoint', {
      rule: `in ${path} ${stored.name} is a formula`,
      received: stored.expression,
      remedy: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}

/** A model of examples. */
export type ExampleNetwork = Mlp | BagOfTokens | Perceptron | Lenet | Lenet1989;

/**
 * Opens a trained model of examples, its weights loaded, by the config.json of its run.
 * @throws SluiceError `checkpoint` that names the file and the key, or the tensor, for one that is missing or does not fit.
 */
export async function openModel(folder: string, device: Device): Promise<ExampleNetwork> {
  const path = join(folder, runFiles.config);
  const result = v.safeParse(configSchema, await readJson(folder, runFiles.config));
  if (!result.success) {
    const [issue] = result.issues;
    throw new SluiceError('checkpoint', {
      rule: `in ${path} ${issueRule(issue)}`,
      received: issue.input,
      remedy: 'Restore the file as Sluice wrote it; models of text are opened by openRun.',
    });
  }
  const model = makeModel(path, result.output, new Initializer(device, 0));
  try {
    const weights = await SafetensorsFile.open(join(folder, runFiles.weights));
    await model.load(weights).finally(() => weights.close());
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

const imagesOf = (
  path: string,
  { image_size, output_size, activation }: Extract<StoredConfig, { readonly image_size: number }>,
) => ({ side: image_size, outputs: output_size, activation: activationOf(path, activation) });

function makeModel(path: string, stored: StoredConfig, init: Initializer): ExampleNetwork {
  switch (stored.model_type) {
    case 'mlp':
      return new Mlp(init, mlpOf(path, stored));
    case 'bag':
      return new BagOfTokens(init, { vocabSize: stored.vocab_size, mlp: mlpOf(path, stored) });
    case 'perceptron':
      return new Perceptron(init, { inputs: stored.input_size, outputs: stored.outputs });
    case 'lenet':
      return new Lenet(init, { ...imagesOf(path, stored), pooling: stored.pooling });
    case 'lenet1989':
      return new Lenet1989(init, imagesOf(path, stored));
  }
}
