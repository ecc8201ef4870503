import { SluiceError } from '../../base/errors.js';
import { counted } from '../../base/units.js';
import { type Examples, exampleAt } from '../../data/examples.js';
import { marksAt } from '../../data/marked-tokenizer.js';
import { pad } from '../../data/sequences.js';
import type { TableEncoding } from '../../data/table-encoding.js';
import type { Mode } from '../../layers/mode.js';
import { hiddenWidth } from '../../layers/widths.js';
import { paddedLayout } from '../../models/encoder.js';
import { type Tensor, tensor } from '../../tensor/index.js';
import { activationOf } from '../model.js';
import type { Settings } from '../settings.js';
import { type EncoderDesign, type EncoderName, encoderTypes } from './encoder-types.js';
import { type ExampleModelType, gradientDefaults, gradientSettings, trainedByGradients } from './example-model.js';
import { headOf } from './heads.js';

/** How many tokens there are, marks included. */
function vocabularyOf({ inputs: [text] }: TableEncoding): number {
  if (text?.kind === 'text') return text.vocabularySize;
  throw new SluiceError('checkpoint', {
    rule: 'an encoder is a model of text',
    received: text?.kind,
    remedy: 'The files of the run belong to different runs: train anew.',
  });
}

function designOf(
  name: EncoderName,
  settings: Settings,
  encoding: TableEncoding,
  formula = activationOf(settings, 'gelu'),
): EncoderDesign {
  const { target } = encoding;
  const { outputs } = headOf(encoding, settings);
  const words = target.kind === 'words' ? target.words : [];
  // One output is the logit of the second class.
  const labels = words.length === outputs ? words : words.slice(-outputs);
  const sized = { ...settings, context: settings.context + 2 };
  return encoderTypes[name].design(sized, vocabularyOf(encoding), { head: 'texts', labels }, formula);
}

/** Texts that an encoder reads whole, and tells the class of by its first token. */
export const encoderClassifierType = (name: EncoderName): ExampleModelType => ({
  settings: [...gradientSettings, ...(['layers', 'heads', 'hidden', 'activation', 'param', 'dropout'] as const)],
  defaults: {
    ...gradientDefaults,
    ...{ dim: 64, layers: 2, heads: 2, tokenizer: 'bpe:2048', context: 256, dropout: 0.1, lr: 1e-3, warmup: 100 },
  },
  usualHidden: ({ dim }) => hiddenWidth(dim, name === 'bert' ? 'activation' : 'gate'),
  formulaOf: (settings) => activationOf(settings, 'gelu'),
  memoryBytes: (settings, encoding) => {
    const { vocabSize, trainingBytes } = designOf(name, settings, encoding);
    return trainingBytes(vocabSize, settings.batch * (settings.context + 2));
  },
  build: (parts) => {
    const { device, settings, encoding, formula } = parts;
    const design = designOf(name, settings, encoding, formula);
    const model = design.build(device, settings.seed);
    const marks = marksAt(design.vocabSize);
    const forward = (examples: Examples, mode: Mode): Tensor => {
      const texts = Array.from({ length: examples.count }, (_, i) =>
        Int32Array.of(marks.start, ...exampleAt(examples, i), marks.end),
      );
      const { ids, count, length } = pad(texts);
      const { spans } = paddedLayout(
        texts.map((text) => text.length),
        length,
      );
      const tokens = tensor(device, ids, [count, length], { dtype: 'int32' });
      return model.logits(model.encode(tokens, mode, { spans }), mode, { spans });
    };
    const [type, shape] = design.description;
    return trainedByGradients(parts, {
      model,
      config: design.encode(),
      description: `${type}, ${counted(model.parameterCount, 'parameter')}: ${shape}`,
      forward,
    });
  },
});
