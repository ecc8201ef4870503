import { SluiceError } from '../../base/errors.js';
import { counted } from '../../base/units.js';
import { exampleAt } from '../../data/examples.js';
import { pad } from '../../data/sequences.js';
import type { TableEncoding } from '../../data/table-encoding.js';
import { Initializer } from '../../layers/initialization.js';
import { BagOfTokens } from '../../models/bag-of-tokens.js';
import { tensor } from '../../tensor/index.js';
import { bagCodec } from '../codecs/mlp.js';
import { activationOf } from '../model.js';
import { type ExampleModelType, gradientDefaults, gradientSettings, trainedByGradients } from './example-model.js';
import { headOf } from './heads.js';
import { describeShape, mlpBytes, shapeOf, shapeSettings, warnOfSteps } from './mlp-type.js';

/** How many tokens there are. */
function vocabularyOf({ inputs }: TableEncoding): number {
  const [text] = inputs;
  if (text?.kind === 'text') return text.vocabularySize;
  throw new SluiceError('checkpoint', {
    rule: 'a bag of tokens is a model of text',
    received: text?.kind,
    remedy: 'The files of the run belong to different runs: train anew.',
  });
}

export const bagType: ExampleModelType = {
  settings: [...gradientSettings, ...shapeSettings],
  defaults: { ...gradientDefaults, dim: 32, layers: 1, hidden: 32, tokenizer: 'bpe:2048', context: 4096, dropout: 0.1 },
  formulaOf: (settings) => activationOf(settings, 'relu'),
  warn: warnOfSteps,
  memoryBytes: (settings, encoding) =>
    16 * vocabularyOf(encoding) * settings.dim + mlpBytes(settings, settings.dim, headOf(encoding, settings).outputs),
  build: (parts) => {
    const { device, settings, formula, encoding } = parts;
    const mlp = shapeOf(settings, formula, settings.dim, headOf(encoding, settings).outputs);
    const vocabSize = vocabularyOf(encoding);
    const model = new BagOfTokens(new Initializer(device, settings.seed), { vocabSize, mlp });
    return trainedByGradients(parts, {
      model,
      config: bagCodec.encode({ vocabSize, mlp }),
      description: `bag of tokens, ${counted(model.parameterCount, 'parameter')}: ${vocabSize} tokens, ${describeShape(mlp)}`,
      forward: (examples, mode) => {
        const sequences = Array.from({ length: examples.count }, (_, i) => exampleAt(examples, i));
        const { ids, mask, count, length } = pad(sequences);
        return model.forward(tensor(device, ids, [count, length]), tensor(device, mask, [count, length]), mode);
      },
    });
  },
};
