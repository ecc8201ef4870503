import { constant } from '../scalar/expression.js';
import { activation } from './kinds.js';

const zero = constant(0);

export const identity = activation('identity', (x) => x, { source: 'the linear unit', aliases: ['linear'] });

export const relu = activation('relu', (x) => x.max(0), { source: 'Nair and Hinton 2010; Glorot 2011' });

export const relu6 = activation('relu6', (x) => x.max(0).min(6), { source: 'Krizhevsky 2010' });

export const leakyRelu = activation('leakyRelu', (x, { slope }) => zero.whereLess(x, x, slope.mul(x)), {
  source: 'Maas 2013',
  parameters: { slope: 0.01 },
});

export const prelu = activation('prelu', (x, { slope }) => zero.whereLess(x, x, slope.mul(x)), {
  source: 'He 2015, arXiv:1502.01852',
  learned: { slope: 0.25 },
});

/** The slope is drawn per element in training and is the mean of the two bounds in evaluation. */
export const rrelu = activation(
  'rrelu',
  (x, { lower, upper, noise }) => zero.whereLess(x, x, lower.add(upper.sub(lower).mul(noise)).mul(x)),
  { source: 'Xu 2015, arXiv:1505.00853', parameters: { lower: 1 / 8, upper: 1 / 3 }, noise: true },
);

export const thresholdedRelu = activation('thresholdedRelu', (x, { alpha }) => alpha.whereLess(x, x, 0), {
  source: 'Konda 2014, arXiv:1402.3337; ONNX',
  parameters: { alpha: 1 },
});

export const relu2 = activation('relu2', (x) => x.max(0).mul(x.max(0)), {
  source: 'So 2021, arXiv:2109.08668',
  aliases: ['squaredRelu'],
});
