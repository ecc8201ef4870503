import { resolveActivation } from '../../activations/catalogue.js';
import type { Activation } from '../../activations/kinds.js';
import { counted } from '../../base/units.js';
import { encodedWidth } from '../../data/table-encoding.js';
import { Initializer } from '../../layers/initialization.js';
import { Mlp, type MlpConfig, mlpConfig } from '../../models/mlp.js';
import { tensor } from '../../tensor/index.js';
import { mlpCodec } from '../codecs/mlp.js';
import { activationOf } from '../model.js';
import type { SettingName, Settings } from '../settings.js';
import {
  type ExampleModelType,
  gradientDefaults,
  gradientSettings,
  stopsGradients,
  trainedByGradients,
} from './example-model.js';
import { headOf } from './heads.js';

/** What says how an MLP is made. */
export const shapeSettings: readonly SettingName[] = [
  'initialization',
  'layers',
  'hidden',
  'activation',
  'param',
  'surrogate',
  'dropout',
];

/** An MLP of the settings' shape. */
export function shapeOf(settings: Settings, activation: Activation, inputs: number, outputs: number): MlpConfig {
  const { layers, hidden, dropout, initialization } = settings;
  const chosen = {
    ...(initialization === undefined ? {} : { initialization }),
    ...(settings.surrogate === undefined ? {} : { surrogate: resolveActivation(settings.surrogate) }),
  };
  return mlpConfig({
    inputs,
    hidden: Array.from({ length: layers }, () => hidden),
    outputs,
    activation,
    dropout,
    ...chosen,
  });
}

/** For a person: 2 > 32 > 32 > 2, relu, he weights. */
export const describeShape = ({ inputs, hidden, outputs, activation, surrogate, initialization }: MlpConfig): string =>
  `${[inputs, ...hidden, outputs].join(' > ')}, ${activation.name}${surrogate === undefined ? '' : ` with the derivative of ${surrogate.name}`}, ${initialization} weights`;

/** Bytes that a step of an MLP holds. */
export function mlpBytes({ layers, hidden, batch }: Settings, inputs: number, outputs: number): number {
  const units = layers * hidden + outputs;
  const weights = inputs * hidden + (layers - 1) * hidden * hidden + hidden * outputs + units;
  // Weights, gradients and two moments; of each unit its sum, its value, and both gradients.
  return 4 * (4 * weights + batch * (inputs + 4 * units));
}

/** A warning of hidden units that no gradient comes through. */
export const warnOfSteps = (formula: Activation, { surrogate }: Settings): string | undefined =>
  surrogate === undefined && stopsGradients(formula)
    ? `the derivative of ${formula.name} is 0 everywhere: no gradient comes through it, and only the last layer learns; --surrogate hardTanh lets one through`
    : undefined;

export const mlpType: ExampleModelType = {
  settings: [...gradientSettings, ...shapeSettings],
  defaults: { ...gradientDefaults, layers: 2, hidden: 32 },
  formulaOf: (settings) => activationOf(settings, 'relu'),
  warn: warnOfSteps,
  memoryBytes: (settings, encoding) => mlpBytes(settings, encodedWidth(encoding), headOf(encoding, settings).outputs),
  build: (parts) => {
    const { device, settings, formula, encoding } = parts;
    const config = shapeOf(settings, formula, encodedWidth(encoding), headOf(encoding, settings).outputs);
    const model = new Mlp(new Initializer(device, settings.seed), config);
    return trainedByGradients(parts, {
      model,
      config: mlpCodec.encode(config),
      description: `MLP, ${counted(model.parameterCount, 'parameter')}: ${describeShape(config)}`,
      forward: ({ count, width, inputs }, mode) => model.forward(tensor(device, inputs, [count, width]), mode),
    });
  },
};
