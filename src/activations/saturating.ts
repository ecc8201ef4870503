import { activation } from './kinds.js';

export const sigmoid = activation('sigmoid', (x) => x.sigmoid(), {
  source: 'Verhulst 1838; Rumelhart 1986',
  aliases: ['logistic'],
});

export const tanh = activation('tanh', (x) => x.tanh(), { source: 'LeCun 1989' });

export const softsign = activation('softsign', (x) => x.div(x.abs().add(1)), { source: 'Bergstra 2009' });

export const logSigmoid = activation('logSigmoid', (x) => x.sigmoid().log(), { source: 'PyTorch nn.LogSigmoid' });

export const hardSigmoid = activation('hardSigmoid', (x) => x.add(3).max(0).min(6).div(6), {
  source: 'Courbariaux 2015, arXiv:1511.00363; slope 1/6 as in PyTorch',
});

export const hardTanh = activation('hardTanh', (x, { lower, upper }) => x.max(lower).min(upper), {
  source: 'Collobert 2004',
  parameters: { lower: -1, upper: 1 },
});

export const hardSwish = activation('hardSwish', (x) => x.mul(x.add(3).max(0).min(6)).div(6), {
  source: 'Howard 2019, arXiv:1905.02244',
  aliases: ['hardSilu'],
});
