/**
 * The optimizers, each as one expression; from it follow its kernels on every device, what a checkpoint holds of it and its
 * row in docs/optimizers.md. They mean what torch.optim's mean, and have its defaults, but for AdamW's.
 */
import { SluiceError } from '../base/errors.js';
import type { OptionTable } from '../base/options.js';
import { constant, type Expression, variables } from '../scalar/expression.js';
import { type CommonOptions, type Remembered, ruleOptions, UpdateRule } from './update-rule.js';

const [weight, gradient, lr, step, weightDecay] = variables('weight', 'gradient', 'lr', 'step', 'weightDecay');
const [momentum, dampening, alpha, epsilon, lrDecay] = variables(
  'momentum',
  'dampening',
  'alpha',
  'epsilon',
  'lrDecay',
);
const [beta1, beta2, correction1, correction2] = variables('beta1', 'beta2', 'correction1', 'correction2');
const [momentumBuffer, sum, squareAvg, gradAvg] = variables('momentumBuffer', 'sum', 'squareAvg', 'gradAvg');
const [expAvg, expAvgSq, maxExpAvgSq, share, slowing] = variables(
  ...(['expAvg', 'expAvgSq', 'maxExpAvgSq', 'share', 'slowing'] as const),
);

const one = constant(1);
/** The gradient of the loss and weightDecay / 2 times the squared weight: decay that is coupled. */
const coupled = gradient.add(weightDecay.mul(weight));
/** An average that forgets: `kept` is the share of what was before. */
const average = (kept: Expression, before: Expression, now: Expression): Expression =>
  kept.mul(before).add(one.sub(kept).mul(now));
const from = (initial: number, next: Expression): Remembered => ({ next, initial });
/** 1 - beta^step without cancellation: the average of so many ones, from 0 on. */
const correction = (beta: Expression): Expression => beta.log().mul(step).expm1().neg();

const commonDefaults = { weightDecay: 0, clip: 0 } satisfies OptionTable<CommonOptions>;

export interface SgdOptions extends CommonOptions {
  /** The share of its speed that a weight keeps. */
  readonly momentum: number;
  /** The share of the gradient that the speed does not take up, after the first step. */
  readonly dampening: number;
  /** Looks a step ahead along the speed. Source: Nesterov 1983; Sutskever 2013. */
  readonly nesterov: boolean;
}

const sgdDefaults = { momentum: 0, dampening: 0, nesterov: false, ...commonDefaults } satisfies OptionTable<SgdOptions>;

/**
 * Gradient descent, with momentum where asked for. Weight decay is coupled. Sources: Robbins and Monro 1951; Polyak 1964.
 * @throws SluiceError `argument` for options out of range, or nesterov without a momentum or with dampening.
 */
export function sgd(given: Partial<SgdOptions> = {}): UpdateRule {
  const options = ruleOptions<SgdOptions, typeof sgdDefaults>('SGD', given, sgdDefaults, []);
  if (options.nesterov && (options.momentum === 0 || options.dampening !== 0)) {
    throw new SluiceError('argument', {
      rule: "SGD's nesterov goes with a momentum and without dampening",
      received: `momentum ${options.momentum}, dampening ${options.dampening}`,
      remedy: 'Write for example sgd({ momentum: 0.9, nesterov: true }).',
    });
  }
  if (options.momentum === 0) {
    return new UpdateRule('SGD', options, { weight: weight.sub(lr.mul(coupled)) }, 'Robbins and Monro 1951');
  }
  const isDamped = options.dampening !== 0;
  const speed = momentum.mul(momentumBuffer).add(isDamped ? share.mul(coupled) : coupled);
  const direction = options.nesterov ? coupled.add(momentum.mul(speed)) : speed;
  const formulas = {
    weight: weight.sub(lr.mul(direction)),
    state: { momentumBuffer: from(0, speed) },
    shared: isDamped ? { share: step.whereLess(1.5, 1, one.sub(dampening)) } : {},
  };
  return new UpdateRule('SGD', options, formulas, options.nesterov ? 'Nesterov 1983; Sutskever 2013' : 'Polyak 1964');
}

export interface AdagradOptions extends CommonOptions {
  /** By what share of the first the rate slows down each step: 1 / (1 + (step - 1) lrDecay). */
  readonly lrDecay: number;
  /** What the sums of squares begin with. */
  readonly initialAccumulator: number;
  readonly epsilon: number;
}

const adagradDefaults = {
  ...{ lrDecay: 0, initialAccumulator: 0, epsilon: 1e-10 },
  ...commonDefaults,
} satisfies OptionTable<AdagradOptions>;

/** Divides by the root of the sum of all squared gradients. Weight decay is coupled. Source: Duchi 2011. */
export function adagrad(given: Partial<AdagradOptions> = {}): UpdateRule {
  const options = ruleOptions<AdagradOptions, typeof adagradDefaults>('Adagrad', given, adagradDefaults, []);
  const squares = sum.add(coupled.mul(coupled));
  const rate = options.lrDecay === 0 ? lr : lr.div(slowing);
  const formulas = {
    weight: weight.sub(rate.mul(coupled).div(squares.sqrt().add(epsilon))),
    state: { sum: from(options.initialAccumulator, squares) },
    shared: options.lrDecay === 0 ? {} : { slowing: one.add(step.sub(1).mul(lrDecay)) },
  };
  return new UpdateRule('Adagrad', options, formulas, 'Duchi 2011');
}

export interface RmspropOptions extends CommonOptions {
  /** The share of the mean square that is kept. */
  readonly alpha: number;
  readonly epsilon: number;
  readonly momentum: number;
  /** Divides by the deviation of the gradients instead of their mean square's root. Source: Graves 2013, arXiv:1308.0850. */
  readonly centered: boolean;
}

const rmspropDefaults = {
  ...{ alpha: 0.99, epsilon: 1e-8, momentum: 0, centered: false },
  ...commonDefaults,
} satisfies OptionTable<RmspropOptions>;

/** Divides by the root of a mean square that forgets. Weight decay is coupled. Source: Hinton 2012, lecture 6e. */
export function rmsprop(given: Partial<RmspropOptions> = {}): UpdateRule {
  const options = ruleOptions<RmspropOptions, typeof rmspropDefaults>('RMSProp', given, rmspropDefaults, ['alpha']);
  const square = average(alpha, squareAvg, coupled.mul(coupled));
  const mean = average(alpha, gradAvg, coupled);
  // A variance: rounding alone makes it less than 0.
  const spread = options.centered ? square.sub(mean.mul(mean)).max(0) : square;
  const ratio = coupled.div(spread.sqrt().add(epsilon));
  const speed = momentum.mul(momentumBuffer).add(ratio);
  const hasMomentum = options.momentum !== 0;
  const formulas = {
    weight: weight.sub(lr.mul(hasMomentum ? speed : ratio)),
    state: {
      squareAvg: from(0, square),
      ...(options.centered ? { gradAvg: from(0, mean) } : {}),
      ...(hasMomentum ? { momentumBuffer: from(0, speed) } : {}),
    },
  };
  return new UpdateRule(
    'RMSProp',
    options,
    formulas,
    options.centered ? 'Graves 2013, arXiv:1308.0850' : 'Hinton 2012',
  );
}

export interface AdamOptions extends CommonOptions {
  /** The share of the mean gradient that is kept. */
  readonly beta1: number;
  /** The share of the mean square that is kept. */
  readonly beta2: number;
  readonly epsilon: number;
  /** Divides by the largest mean square so far. Source: Reddi 2018, arXiv:1904.09237. */
  readonly amsgrad: boolean;
}

const adamDefaults = {
  ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, amsgrad: false },
  ...commonDefaults,
} satisfies OptionTable<AdamOptions>;
const betas = ['beta1', 'beta2'] as const;

/** The step of Adam without the rate, and what it remembers; by the gradient it is given. */
function adamStep(own: Expression, amsgrad: boolean) {
  const first = average(beta1, expAvg, own);
  const second = average(beta2, expAvgSq, own.mul(own));
  const largest = maxExpAvgSq.max(second);
  const deviation = (amsgrad ? largest : second).div(correction2).sqrt();
  return {
    direction: first.div(correction1).div(deviation.add(epsilon)),
    state: {
      expAvg: from(0, first),
      expAvgSq: from(0, second),
      ...(amsgrad ? { maxExpAvgSq: from(0, largest) } : {}),
    },
    shared: { correction1: correction(beta1), correction2: correction(beta2) },
  };
}

const adamSource = (amsgrad: boolean, plain: string): string => (amsgrad ? 'Reddi 2018, arXiv:1904.09237' : plain);

/** Means of the gradient and its square that forget, both corrected for their start at 0. Weight decay is coupled. Source: Kingma and Ba 2014, arXiv:1412.6980. */
export function adam(given: Partial<AdamOptions> = {}): UpdateRule {
  const options = ruleOptions<AdamOptions, typeof adamDefaults>('Adam', given, adamDefaults, betas);
  const { direction, ...rest } = adamStep(coupled, options.amsgrad);
  const formulas = { weight: weight.sub(lr.mul(direction)), ...rest };
  return new UpdateRule('Adam', options, formulas, adamSource(options.amsgrad, 'Kingma and Ba 2014, arXiv:1412.6980'));
}

const adamwDefaults = {
  ...{ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, amsgrad: false, weightDecay: 0.1, clip: 1 },
} satisfies OptionTable<AdamOptions>;

/**
 * Adam whose weight decay is decoupled from the gradient. Its defaults are those that language models are trained with;
 * torch.optim's are beta2 0.999, weightDecay 0.01 and no clipping. Source: Loshchilov and Hutter 2017, arXiv:1711.05101.
 */
export function adamw(given: Partial<AdamOptions> = {}): UpdateRule {
  const options = ruleOptions<AdamOptions, typeof adamwDefaults>('AdamW', given, adamwDefaults, betas);
  const { direction, ...rest } = adamStep(gradient, options.amsgrad);
  const formulas = { weight: weight.sub(lr.mul(direction.add(weightDecay.mul(weight)))), ...rest };
  const source = adamSource(options.amsgrad, 'Loshchilov and Hutter 2017, arXiv:1711.05101');
  return new UpdateRule('AdamW', options, formulas, source);
}

export interface LionOptions extends CommonOptions {
  /** The share of the mean gradient in the direction of a step. */
  readonly beta1: number;
  /** The share of the mean gradient that is kept. */
  readonly beta2: number;
}

const lionDefaults = { beta1: 0.9, beta2: 0.99, ...commonDefaults } satisfies OptionTable<LionOptions>;

/** Steps of one size, in the direction of the sign. Weight decay is decoupled. Source: Chen 2023, arXiv:2302.06675. */
export function lion(given: Partial<LionOptions> = {}): UpdateRule {
  const options = ruleOptions<LionOptions, typeof lionDefaults>('Lion', given, lionDefaults, betas);
  const direction = average(beta1, expAvg, gradient).sign();
  const formulas = {
    weight: weight.sub(lr.mul(direction.add(weightDecay.mul(weight)))),
    state: { expAvg: from(0, average(beta2, expAvg, gradient)) },
  };
  return new UpdateRule('Lion', options, formulas, 'Chen 2023, arXiv:2302.06675');
}

/** Every optimizer by its name in settings, with its defaults. */
export const updateRules = { sgd, adagrad, rmsprop, adam, adamw, lion } as const;
export type OptimizerName = keyof typeof updateRules;
