import { rowFunction } from './kinds.js';

export const softmax = rowFunction(
  'softmax',
  (x) => {
    const weights = x.sub(x.maximum()).exp();
    return weights.div(weights.sum());
  },
  { source: 'Bridle 1989' },
);

/** The softmax of what is smallest. */
export const softmin = rowFunction('softmin', (x) => softmax.of(x.neg()), { source: 'PyTorch nn.Softmin' });

export const logSoftmax = rowFunction(
  'logSoftmax',
  (x) => {
    const shifted = x.sub(x.maximum());
    return shifted.sub(shifted.exp().sum().log());
  },
  { source: 'the logarithm of softmax, without taking it' },
);

/** x softmax(x); the models that use it put a LayerNorm behind it. */
export const solu = rowFunction(
  'solu',
  (x) => {
    const weights = x.sub(x.maximum()).exp();
    return x.mul(weights).div(weights.sum());
  },
  { source: 'Elhage 2022, transformer-circuits.pub' },
);
