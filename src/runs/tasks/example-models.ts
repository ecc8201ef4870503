import { bagType } from './bag-type.js';
import { encoderClassifierType } from './encoder-classifier-type.js';
import type { ExampleModelType } from './example-model.js';
import { lenet1989Type, lenetType } from './lenet-type.js';
import { mlpType } from './mlp-type.js';
import { perceptronType } from './perceptron-type.js';
import { gruType, lstmType, rnnType } from './sequence-type.js';

/** The model types of examples, by what --model says. */
export const exampleModels = {
  mlp: mlpType,
  perceptron: perceptronType,
  bag: bagType,
  bert: encoderClassifierType('bert'),
  modernbert: encoderClassifierType('modernbert'),
  rnn: rnnType,
  lstm: lstmType,
  gru: gruType,
  lenet: lenetType,
  lenet1989: lenet1989Type,
} as const satisfies Record<string, ExampleModelType>;
export type ExampleModelName = keyof typeof exampleModels;
