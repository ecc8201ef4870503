import { constant } from '../scalar/expression.js';
import { activation } from './kinds.js';

const zero = constant(0);

export const elu = activation('elu', (x, { alpha }) => zero.whereLess(x, x, alpha.mul(x.expm1())), {
  source: 'Clevert 2015, arXiv:1511.07289',
  parameters: { alpha: 1 },
});

export const celu = activation('celu', (x, { alpha }) => zero.whereLess(x, x, alpha.mul(x.div(alpha).expm1())), {
  source: 'Barron 2017, arXiv:1704.07483',
  parameters: { alpha: 1 },
});

/** Self-normalising with LeCun-normal weights and alpha dropout; the constants make (0, 1) its fixed point. */
export const selu = activation('selu', (x, { alpha, scale }) => scale.mul(zero.whereLess(x, x, alpha.mul(x.expm1()))), {
  source: 'Klambauer 2017, arXiv:1706.02515',
  parameters: { alpha: 1.6732632423543772, scale: 1.0507009873554805 },
});

/** Its two curvatures are softplus(alphaP) and beta + softplus(alphaN), 0.8 each at the start. */
export const xielu = activation(
  'xielu',
  (x, { alphaP, alphaN, beta, epsilon }) =>
    zero.whereLess(
      x,
      alphaP.softplus().mul(x).mul(x).add(beta.mul(x)),
      x.min(epsilon).expm1().sub(x).mul(beta.add(alphaN.softplus())).add(beta.mul(x)),
    ),
  {
    source: 'Huang and Schlag 2024, arXiv:2411.13010',
    parameters: { beta: 0.5, epsilon: -1e-6 },
    learned: { alphaP: Math.log(Math.expm1(0.8)), alphaN: Math.log(Math.expm1(0.3)) },
  },
);
