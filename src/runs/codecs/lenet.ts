import * as v from 'valibot';
import type { Activation } from '../../activations/kinds.js';
import { Lenet, Lenet1989, type PoolingName, poolings } from '../../models/lenet.js';
import { activation, modelCodec, size } from './codec.js';

export interface Images {
  readonly side: number;
  readonly outputs: number;
  readonly activation: Activation;
}

const images = { image_size: size, output_size: size, activation };
const encodeImages = ({ side, outputs, activation }: Images) => ({
  image_size: side,
  output_size: outputs,
  activation: activation.toJSON(),
});

type Stored = v.InferOutput<v.ObjectSchema<typeof images, undefined>>;
const decodeImages = ({ image_size, output_size, activation }: Stored): Images => ({
  ...{ side: image_size, outputs: output_size, activation },
});

export const lenet1989Codec = modelCodec('lenet1989', 'Lenet1989', images, {
  encode: encodeImages,
  build: (init, stored) => new Lenet1989(init, decodeImages(stored)),
});

const names = Object.keys(poolings) as PoolingName[];

export const lenetCodec = modelCodec(
  'lenet',
  'Lenet',
  { ...images, pooling: v.picklist(names, `is ${names.join(' or ')}`) },
  {
    encode: ({ pooling, ...shape }: Images & { readonly pooling: PoolingName }) => ({
      ...encodeImages(shape),
      pooling,
    }),
    build: (init, { pooling, ...stored }) => new Lenet(init, { ...decodeImages(stored), pooling }),
  },
);
