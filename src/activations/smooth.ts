import { constant } from '../scalar/expression.js';
import { activation } from './kinds.js';

/** The exact GELU, x Phi(x). */
export const gelu = activation('gelu', (x) => x.mul(x.normalCdf()), {
  source: 'Hendrycks and Gimpel 2016, arXiv:1606.08415',
  aliases: ['geluPython', 'geluErf'],
});

/** GELU by its tanh approximation, within 5e-4 of the exact one. */
export const geluTanh = activation(
  'geluTanh',
  (x) => {
    const inner = x.add(x.mul(x).mul(x).mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
    return x.mul(0.5).mul(inner.tanh().add(1));
  },
  {
    source: 'Hendrycks and Gimpel 2016, arXiv:1606.08415',
    aliases: ['geluNew', 'geluPytorchTanh', 'geluPythonTanh', 'geluFast', 'geluAccurate', 'geluApproximate'],
  },
);

/** GELU by its sigmoid approximation, within 0.021 of the exact one. */
export const quickGelu = activation('quickGelu', (x) => x.mul(x.mul(1.702).sigmoid()), {
  source: 'Hendrycks and Gimpel 2016, arXiv:1606.08415',
});

/** GELU clipped to +-10, for quantization. */
export const gelu10 = activation('gelu10', (x) => x.mul(x.normalCdf()).max(-10).min(10), {
  source: 'Wu 2020, arXiv:2004.09602',
});

export const silu = activation('silu', (x) => x.mul(x.sigmoid()), { source: 'Elfwing 2017, arXiv:1702.03118' });

export const swish = activation('swish', (x, { beta }) => x.mul(beta.mul(x).sigmoid()), {
  source: 'Ramachandran 2017, arXiv:1710.05941',
  parameters: { beta: 1 },
});

/** Self-regularised, non-monotonic. */
export const mish = activation('mish', (x) => x.mul(x.softplus().tanh()), { source: 'Misra 2019, arXiv:1908.08681' });

export const softplus = activation('softplus', (x, { beta }) => beta.mul(x).softplus().div(beta), {
  source: 'Dugas 2001',
  parameters: { beta: 1 },
});

export const squareplus = activation('squareplus', (x, { b }) => x.add(x.mul(x).add(b).sqrt()).div(2), {
  source: 'Barron 2021, arXiv:2112.11687',
  parameters: { b: 4 },
});

export const sparsePlus = activation(
  'sparsePlus',
  (x) => constant(-1).whereLess(x, x.whereLess(1, x.add(1).mul(x.add(1)).div(4), x), 0),
  { source: 'JAX nn.sparse_plus' },
);

/** Below -40 the softplus is exp(x) to the last bit, and its root is taken before it can vanish. */
export const sqrtSoftplus = activation('sqrtSoftplus', (x) => x.whereLess(-40, x.div(2).exp(), x.softplus().sqrt()), {
  source: 'Hugging Face Transformers',
});

/** The distribution function of a normal, which approximates squared ReLU's effect in attention. */
export const laplace = activation('laplace', (x, { mu, sigma }) => x.sub(mu).div(sigma).normalCdf(), {
  source: 'Ma 2022, arXiv:2209.10655',
  // As rounded in Transformers, not the constants they stand for.
  parameters: { mu: 707107e-6, sigma: 0.282095 },
});
