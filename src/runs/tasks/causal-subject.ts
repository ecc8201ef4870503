import { plural } from '../../base/plural.js';
import { ignoreIndex, requireTargets, type SequentialBatch, sequentialBatches } from '../../data/batches.js';
import type { TokenSource } from '../../data/token-source.js';
import type { Device } from '../../devices/device.js';
import { Mode } from '../../layers/mode.js';
import type { Tensor } from '../../tensor/index.js';
import { batchLoss } from '../../training/trainer.js';
import { openRun } from '../open-run.js';
import { closeText, openRunText } from '../prepare.js';
import type { Folder, Subject, SubjectOptions } from '../task.js';

/** A language model, to be looked into by windows of a text. */
export async function openCausalSubject(
  { folder, device }: Folder & { readonly device: Device },
  options: SubjectOptions,
): Promise<Subject> {
  const { data, atInit, tell } = options;
  const { model, design, tokenizer, record } = await openRun(folder, device, { atInit });
  try {
    const source = await openRunText(folder, tokenizer, data, tell);
    const batches = await wholeBatches(source, Math.min(design.context, record.settings.context), options).finally(() =>
      closeText(source),
    );
    const [{ batch, context } = { batch: 0, context: 0 }] = batches;
    const windows = `${plural(batches.length * batch, 'window')} of ${plural(context, 'token')}`;
    const meanLoss = (some: SequentialBatch): Tensor =>
      batchLoss(device, model, some, Mode.evaluation()).div(some.tokens);
    return {
      model,
      facts: [
        ['model', design.description.join(', ')],
        ['data', `${windows} of ${data ?? 'what the run held out'}`],
      ],
      batches: batches.length,
      lossOf: (index) => meanLoss(batches[index] ?? none),
      lastLossOf: (index) => meanLoss(lastTargets(batches[index] ?? none)),
      close: async () => model.dispose(),
    };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

const none: SequentialBatch = { batch: 0, context: 0, inputs: Int32Array.of(), targets: Int32Array.of(), tokens: 0 };

/** The same windows, of which only the last token is to be predicted. */
const lastTargets = (some: SequentialBatch): SequentialBatch => ({
  ...some,
  targets: some.targets.map((target, i) => (i % some.context === some.context - 1 ? target : ignoreIndex)),
  tokens: some.batch,
});

/** Batches without padding, which would enter the statistics: of a short text fewer, or shorter ones. */
async function wholeBatches(source: TokenSource, longest: number, options: SubjectOptions): Promise<SequentialBatch[]> {
  requireTargets(source);
  const context = Math.min(longest, source.length - 1);
  const windows = Math.floor((source.length - 1) / context);
  const batch = Math.min(options.batch, windows);
  const count = Math.min(options.batches, Math.floor(windows / batch));
  const batches: SequentialBatch[] = [];
  const shape = { batch, context, maximumTokens: count * batch * context };
  for await (const one of sequentialBatches(source, shape)) batches.push(one);
  return batches;
}
