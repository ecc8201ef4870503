import type { Activation } from '../activations/kinds.js';
import { type ActivationProperties, propertiesOf } from '../activations/properties.js';
import { checkChoice } from '../base/options.js';
import type { Distribution } from './initialization.js';

/** How large the initial weights of a layer are. */
export const schemeNames = [
  ...(['xavier', 'he', 'lecun', 'naive'] as const),
  ...(['xavier-uniform', 'he-uniform', 'lecun-uniform'] as const),
] as const;
export type SchemeName = (typeof schemeNames)[number];

const known = new WeakMap<Activation, ActivationProperties>();

/** Scanning a formula takes milliseconds: once each. */
function propertiesFor(activation: Activation): ActivationProperties {
  const properties = known.get(activation) ?? propertiesOf(activation);
  known.set(activation, properties);
  return properties;
}

/** E f(z)^2 under a standard normal z. */
function secondMoment(activation: Activation): number {
  const { mean, variance } = propertiesFor(activation).normal;
  return variance + mean * mean;
}

/**
 * What the standard deviation of the weights behind an activation is multiplied with so that signals keep their size
 * from layer to layer: 1 / sqrt(E f(z)^2) for a standard normal z. The square root of 2 for ReLU, 1 for the identity and
 * for SELU; also 1 where there is no second moment, or it is 0.
 */
export function gainOf(activation: Activation): number {
  const second = secondMoment(activation);
  return second > 0 && Number.isFinite(second) ? 1 / Math.sqrt(second) : 1;
}

/**
 * The scheme that suits an activation, by what its expression computes: LeCun's where it keeps mean 0 and size 1 by
 * itself, as the identity and SELU do; Xavier's, which minds the backward pass too, where it is bounded; He's otherwise.
 */
export function suitedScheme(activation: Activation): SchemeName {
  const { normal, range } = propertiesFor(activation);
  if (Math.abs(secondMoment(activation) - 1) < 1e-3 && Math.abs(normal.mean) < 1e-3) return 'lecun';
  return Number.isFinite(range.infimum.value) && Number.isFinite(range.supremum.value) ? 'xavier' : 'he';
}

export interface Fan {
  /** What a unit receives. */
  readonly inputs: number;
  /** The units. */
  readonly outputs: number;
  /** What made the inputs: undefined for data of mean 0 and variance 1. */
  readonly behind?: Activation | undefined;
}

/** Uniform weights have the deviation of the normal ones: they reach to the square root of 3 times it. */
const uniform = '-uniform';
type Base<Name> = Name extends `${infer Scheme}${typeof uniform}` ? Scheme : Name;

const deviations: Readonly<Record<Base<SchemeName>, (fan: Fan, gain: number) => number>> = {
  /** Source: Glorot and Bengio 2010. */
  xavier: ({ inputs, outputs }, gain) => gain * Math.sqrt(2 / (inputs + outputs)),
  /** Source: He 2015, arXiv:1502.01852; the gain in place of ReLU's square root of 2. */
  he: ({ inputs }, gain) => gain / Math.sqrt(inputs),
  /** Source: LeCun 1998, "Efficient BackProp". */
  lecun: ({ inputs }) => 1 / Math.sqrt(inputs),
  /** One size for all, whatever the width. */
  naive: () => 0.02,
};

/** The standard deviation of a layer's initial weights. @throws SluiceError `name` for an unknown scheme. */
export function deviationOf(scheme: SchemeName, fan: Fan): number {
  checkChoice('an initialization', scheme, schemeNames);
  return deviations[scheme.replace(uniform, '') as Base<SchemeName>](
    fan,
    fan.behind === undefined ? 1 : gainOf(fan.behind),
  );
}

/** How the initial weights of a scheme are spread. */
export const distributionOf = (scheme: SchemeName): Distribution => (scheme.endsWith(uniform) ? 'uniform' : 'normal');
