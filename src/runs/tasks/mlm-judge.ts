import { SluiceError } from '../../base/errors.js';
import { marksOf } from '../../data/marks.js';
import { type MaskVocabulary, maskVocabulary } from '../../data/masking.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import type { Device } from '../../devices/device.js';
import { Mode } from '../../layers/mode.js';
import { noGrad, scope, tensor } from '../../tensor/index.js';
import { evaluateMasked } from '../../training/masked.js';
import { embed, markedText, type Reader } from '../embed.js';
import { type OpenEncoder, openEncoder } from '../open-encoder.js';
import { closeText, openRunText } from '../prepare.js';
import type { Settings } from '../settings.js';
import type { Folder, Judge, Judged, JudgeOptions, OnePrediction, Predicted, PredictOptions } from '../task.js';

/** How a run's model is judged: by the share that it was trained with. */
export const optionsOf = ({ batch, context, maskShare: share, wholeWords, seed }: Settings) => ({
  ...{ batch, context, share, wholeWords, seed },
});

/** @throws SluiceError `data` for a tokenizer without a token to hide others behind. */
export function vocabularyOf(tokenizer: Tokenizer): MaskVocabulary {
  const { mask, ...marks } = marksOf(tokenizer);
  if (mask !== undefined) return maskVocabulary(tokenizer, { ...marks, mask });
  throw new SluiceError('data', {
    rule: 'a tokenizer that tokens are hidden by has [MASK]',
    received: 'none',
    remedy: 'Use the tokenizer that the model came with.',
  });
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** An encoder that says hidden tokens of texts, and gives texts their vectors. */
export async function openMaskedJudge({
  folder,
  record,
  device,
}: Folder & { readonly device: Device }): Promise<Judge> {
  const run = await openEncoder(folder, record, device);
  const reader: Reader = { ...run, device };
  return {
    judge: (options) => judgeOn(device, run, options),
    predict: (options) => fillIn(reader, run, options),
    embed: (options) => embed(reader, options),
    close: async () => run.model.dispose(),
  };
}

function requireWords({ folder, design }: OpenEncoder): void {
  if (design.head === 'words') return;
  throw new SluiceError('checkpoint', {
    rule: 'an encoder that says hidden tokens has a head for them',
    received: `${folder}, whose head is for ${design.head}`,
    remedy: `Take its vectors: sluice embed ${folder} --text "...".`,
  });
}

async function judgeOn(device: Device, run: OpenEncoder, { data, batch, signal, tell }: JudgeOptions): Promise<Judged> {
  requireWords(run);
  const { folder, model, tokenizer, record } = run;
  const vocabulary = vocabularyOf(tokenizer);
  const source = await openRunText(folder, tokenizer, data, tell);
  const options = { ...optionsOf(record.settings), batch, signal };
  const result = await evaluateMasked(device, model, { source, vocabulary }, options).finally(() => closeText(source));
  return {
    facts: [
      ['loss', `${result.loss.toFixed(4)} nats per hidden token`],
      ['pseudo-perplexity', result.pseudoPerplexity.toFixed(2)],
      ['said right', percent(result.maskedAccuracy)],
      ['hidden tokens', String(result.tokens)],
    ],
    details: { ...result },
  };
}

/** What stands behind each [MASK] of the texts: one prediction for each. */
async function fillIn(reader: Reader, run: OpenEncoder, { texts, data }: PredictOptions): Promise<Predicted> {
  requireWords(run);
  const { device, model, tokenizer } = reader;
  const { mask } = vocabularyOf(tokenizer).marks;
  if (texts.length === 0 || data !== undefined) {
    throw new SluiceError('argument', {
      rule: 'hidden words are said of texts',
      received: data === undefined ? 'no --text' : `--data ${data}`,
      remedy: 'Give --text "The [MASK] is white.".',
    });
  }
  const predictions: OnePrediction[] = [];
  for (const text of texts) {
    const ids = markedText(reader, text);
    const places = [...ids.keys()].filter((place) => ids[place] === mask);
    if (places.length === 0) {
      throw new SluiceError('argument', {
        rule: `a text to fill in has a [MASK] within its first ${model.maxPositions - 2} tokens`,
        received: text,
        remedy: 'Write [MASK] in place of a word, and cut what stands far before it.',
      });
    }
    const probabilities = scope(device, () =>
      noGrad(() => {
        const tokens = tensor(device, ids, [1, ids.length], { dtype: 'int32' });
        const vectors = model.encode(tokens, Mode.evaluation()).reshape([-1, model.hiddenSize]);
        const chosen = vectors.gather(tensor(device, Int32Array.from(places), [places.length], { dtype: 'int32' }));
        return model.logits(chosen, Mode.evaluation()).softmax().keep();
      }),
    );
    const values = Float32Array.from(await probabilities.toArray());
    probabilities.dispose();
    places.forEach((_, i) => {
      const row = values.subarray(i * model.vocabSize, (i + 1) * model.vocabSize);
      const best = row.reduce((most, value, id) => (value > (row[most] ?? 0) ? id : most), 0);
      predictions.push({ of: text, value: tokenizer.decode([best]), probability: row[best] ?? 0 });
    });
  }
  return { target: '[MASK]', predictions };
}
