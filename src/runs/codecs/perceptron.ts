import * as v from 'valibot';
import { Perceptron, type PerceptronOptions, perceptronOutputs } from '../../models/perceptron.js';
import { modelCodec, size } from './codec.js';

const outputs = Object.keys(perceptronOutputs) as (keyof typeof perceptronOutputs)[];

/** Its `outputs` are those of its two classes. */
export const perceptronCodec = modelCodec(
  'perceptron',
  'Perceptron',
  { input_size: size, outputs: v.picklist(outputs, `is ${outputs.join(' or ')}`) },
  {
    encode: ({ inputs, outputs }: Required<PerceptronOptions>) => ({ input_size: inputs, outputs }),
    build: (init, { input_size, outputs }) => new Perceptron(init, { inputs: input_size, outputs }),
  },
);
