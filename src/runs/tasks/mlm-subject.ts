import { plural } from '../../base/plural.js';
import { randomKey } from '../../base/random.js';
import { type MaskedRows, markRows, maskRows, windowBatches } from '../../data/masking.js';
import type { Device } from '../../devices/device.js';
import { Mode } from '../../layers/mode.js';
import { tensor } from '../../tensor/index.js';
import { crossEntropy } from '../../training/losses.js';
import { maskedLogits } from '../../training/masked.js';
import { openEncoder } from '../open-encoder.js';
import { closeText, openRunText } from '../prepare.js';
import type { Folder, Subject, SubjectOptions } from '../task.js';
import { optionsOf, vocabularyOf } from './mlm-judge.js';

/** An encoder, to be looked into by windows of a text with hidden tokens. */
export async function openMaskedSubject(
  { folder, record, device }: Folder & { readonly device: Device },
  { data, atInit, tell, batch, batches: most }: SubjectOptions,
): Promise<Subject> {
  const { model, design, tokenizer } = await openEncoder(folder, record, device, { atInit });
  try {
    const vocabulary = vocabularyOf(tokenizer);
    const { share, wholeWords, seed } = optionsOf(record.settings);
    const source = await openRunText(folder, tokenizer, data, tell);
    const batches: MaskedRows[] = [];
    const length = design.context - 2;
    const maximumTokens = most * batch * length;
    try {
      for await (const { first, windows } of windowBatches(source, { batch, length, maximumTokens })) {
        const options = { share, wholeWords, key: randomKey(seed, 'evaluation', first) };
        batches.push(maskRows(markRows(windows, vocabulary), vocabulary, options));
      }
    } finally {
      await closeText(source);
    }
    const windows = batches.reduce((sum, rows) => sum + rows.batch, 0);
    return {
      model,
      facts: [
        ['model', design.description.join(', ')],
        [
          'data',
          `${plural(windows, 'window')} of ${plural(design.context, 'token')} of ${data ?? 'what the run held out'}`,
        ],
      ],
      batches: batches.length,
      lossOf: (index) => {
        const rows = batches[index] as MaskedRows;
        const targets = tensor(device, rows.targets, [rows.targets.length], { dtype: 'int32' });
        return crossEntropy(maskedLogits(model, rows, Mode.evaluation(), device), targets)
          .sum()
          .div(rows.chosen);
      },
      close: async () => model.dispose(),
    };
  } catch (error) {
    model.dispose();
    throw error;
  }
}
