import type { Activation } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import { counted } from '../../base/units.js';
import { encodedWidth, type TableEncoding } from '../../data/table-encoding.js';
import { Initializer } from '../../layers/initialization.js';
import { Lenet, Lenet1989 } from '../../models/lenet.js';
import { tensor } from '../../tensor/index.js';
import { lenet1989Codec, lenetCodec } from '../codecs/lenet.js';
import { activationOf } from '../model.js';
import type { SettingName, Settings } from '../settings.js';
import {
  type Differentiable,
  type ExampleModelType,
  gradientDefaults,
  gradientSettings,
  type ModelParts,
  trainedByGradients,
} from './example-model.js';
import { headOf } from './heads.js';

/** Numbers that a step holds of an image: of each unit its sum, its value and both gradients, and windows. */
const perImage = { lenet: 40_000, lenet1989: 20_000 } as const;

const shapeSettings: readonly SettingName[] = ['initialization', 'activation', 'param'];

/** Pixels across a square image. @throws SluiceError `argument` for what is none. */
function sideOf(encoding: TableEncoding): number {
  const pixels = encodedWidth(encoding);
  const side = Math.sqrt(pixels);
  if (Number.isInteger(side)) return side;
  throw new SluiceError('argument', {
    rule: 'a LeNet reads square images',
    received: `${pixels} numbers`,
    remedy: 'Use --model mlp.',
  });
}

const optionsOf = ({ settings, formula, encoding }: ModelParts) => ({
  side: sideOf(encoding),
  outputs: headOf(encoding, settings).outputs,
  activation: formula,
  initialization: settings.initialization,
});

const common = {
  defaults: gradientDefaults,
  own: { shift: 2, steps: 2500 },
  formulaOf: (settings: Settings): Activation => activationOf(settings, 'tanh'),
};

/** An example's numbers are the pixels of an image, row by row. */
function built(parts: ModelParts, model: Lenet | Lenet1989, name: string, config: Differentiable['config']) {
  const side = sideOf(parts.encoding);
  return trainedByGradients(parts, {
    model,
    config,
    description: `${name}, ${counted(model.parameterCount, 'parameter')}: images of ${side} x ${side}, ${parts.formula.name}`,
    forward: ({ count, inputs }, mode) => model.forward(tensor(parts.device, inputs, [count, 1, side, side]), mode),
  });
}

export const lenetType: ExampleModelType = {
  ...common,
  settings: [...gradientSettings, ...shapeSettings, 'pooling'],
  memoryBytes: ({ batch }) => 4 * batch * perImage.lenet,
  build: (parts) => {
    const { device, settings } = parts;
    const shape = { ...optionsOf(parts), pooling: settings.pooling };
    const model = new Lenet(new Initializer(device, settings.seed), shape);
    return built(parts, model, `LeNet-5 with ${settings.pooling} pooling`, lenetCodec.encode(shape));
  },
};

export const lenet1989Type: ExampleModelType = {
  ...common,
  settings: [...gradientSettings, ...shapeSettings],
  memoryBytes: ({ batch }) => 4 * batch * perImage.lenet1989,
  build: (parts) => {
    const { device, settings } = parts;
    const shape = optionsOf(parts);
    const model = new Lenet1989(new Initializer(device, settings.seed), shape);
    return built(parts, model, 'LeNet of 1989', lenet1989Codec.encode(shape));
  },
};
