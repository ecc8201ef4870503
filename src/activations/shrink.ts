import { activation } from './kinds.js';

export const tanhShrink = activation('tanhShrink', (x) => x.sub(x.tanh()), { source: 'PyTorch nn.Tanhshrink' });

export const softShrink = activation(
  'softShrink',
  (x, { lambda }) => lambda.whereLess(x, x.sub(lambda), x.whereLess(lambda.neg(), x.add(lambda), 0)),
  { source: 'Beck and Teboulle 2009', parameters: { lambda: 0.5 } },
);

export const hardShrink = activation(
  'hardShrink',
  (x, { lambda }) => lambda.whereLess(x, x, x.whereLess(lambda.neg(), x, 0)),
  { source: 'Donoho and Johnstone 1994', parameters: { lambda: 0.5 } },
);
