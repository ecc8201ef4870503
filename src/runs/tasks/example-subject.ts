import { counted } from '../../base/units.js';
import { lengthsOf, selectExamples } from '../../data/examples.js';
import { loadWeights } from '../checkpointing.js';
import type { Subject, SubjectOptions } from '../task.js';
import { examplesOf } from './example-data.js';
import type { JudgedModel } from './example-judge.js';

/** A model of examples, to be looked into by examples from all over its data. */
export async function openSubject(
  { folder, encoding, built }: JudgedModel,
  { data, batch, batches: most, atInit }: SubjectOptions,
): Promise<Subject> {
  if (!atInit) await loadWeights(folder, built.model);
  const examples = await examplesOf(folder, encoding, data).catch((error: unknown) => {
    built.model.dispose();
    throw error;
  });
  const all = Math.min(examples.count, batch * most);
  const chosen = Int32Array.from({ length: all }, (_, i) => Math.floor((i * examples.count) / all));
  return {
    model: built.model,
    facts: [
      ['model', built.description],
      ['data', `${counted(all, 'example')} of ${data ?? 'what the run held out'}`],
    ],
    batches: Math.ceil(all / batch),
    lossOf: (index) => {
      const some = selectExamples(examples, chosen.subarray(index * batch, (index + 1) * batch));
      const lengths = some.offsets === undefined ? undefined : lengthsOf(some);
      return { loss: built.predict(some).loss.div(some.count), lengths };
    },
    close: async () => built.model.dispose(),
  };
}
