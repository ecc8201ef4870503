import * as v from 'valibot';
import { schemeNames } from '../../layers/initialization-schemes.js';
import { type BagConfig, BagOfTokens } from '../../models/bag-of-tokens.js';
import { Mlp, type MlpConfig } from '../../models/mlp.js';
import { activation, modelCodec, probability, size } from './codec.js';

const shape = {
  input_size: size,
  hidden_sizes: v.array(size),
  output_size: size,
  activation,
  surrogate: v.nullable(activation),
  initialization: v.picklist(schemeNames, `is one of ${schemeNames.join(', ')}`),
  dropout: probability,
};

const encodeShape = ({ inputs, hidden, outputs, activation, surrogate, initialization, dropout }: MlpConfig) => ({
  input_size: inputs,
  hidden_sizes: [...hidden],
  output_size: outputs,
  activation: activation.toJSON(),
  surrogate: surrogate?.toJSON() ?? null,
  initialization,
  dropout,
});

type Shape = v.InferOutput<v.ObjectSchema<typeof shape, undefined>>;

const decodeShape = ({ input_size, hidden_sizes, output_size, surrogate, ...rest }: Shape): MlpConfig => ({
  inputs: input_size,
  hidden: hidden_sizes,
  outputs: output_size,
  surrogate: surrogate ?? undefined,
  ...rest,
});

export const mlpCodec = modelCodec('mlp', 'Mlp', shape, {
  encode: encodeShape,
  build: (init, stored) => new Mlp(init, decodeShape(stored)),
});

/** Its `input_size` is the width of a token's vector. */
export const bagCodec = modelCodec(
  'bag',
  'BagOfTokens',
  { vocab_size: size, ...shape },
  {
    encode: ({ vocabSize, mlp }: BagConfig) => ({ vocab_size: vocabSize, ...encodeShape(mlp) }),
    build: (init, { vocab_size, ...stored }) =>
      new BagOfTokens(init, { vocabSize: vocab_size, mlp: decodeShape(stored) }),
  },
);
