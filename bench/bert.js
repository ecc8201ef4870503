/** How fast does a BERT train on hidden words? Hiding, forward, backward, clipping and AdamW, a loss read in every step. */

import { ours, pytorch } from './lib/contenders.js';
import { main } from './lib/question.js';
import { scores } from './lib/score.js';

/** BERT-tiny, with BERT's vocabulary. */
const tiny = { vocabulary: 30_522, dim: 128, layers: 2, heads: 2, hidden: 512, batch: 32, context: 128 };

const caseOf = (quick) => {
  const item = { ...tiny, ...(quick ? { vocabulary: 1000, batch: 2, context: 16 } : {}) };
  const { dim, layers, batch, context } = item;
  return {
    name: `BERT step, d ${dim}, ${layers} layers, ${batch} x ${context}`,
    ...{ ...item, timing: { repetitions: 3, minimum: 300 } },
    ...(quick ? {} : { warmups: 3 }),
  };
};

async function design({ vocabulary: vocabSize, dim, layers, heads, hidden, context }) {
  const { bertConfig } = await import('../dist/models/bert.js');
  const { summarizeEncoder } = await import('../dist/models/encoder-summary.js');
  const config = bertConfig({ vocabSize, dim, layers, heads, hidden, context, head: 'words' });
  return { config, summary: summarizeEncoder(config) };
}

const sluice =
  async ({ device }) =>
  async (item) => {
    const { Initializer } = await import('../dist/layers/initialization.js');
    const { Bert } = await import('../dist/models/bert.js');
    const { MemoryTokens } = await import('../dist/data/token-source.js');
    const { MaskedTrainer } = await import('../dist/training/masked.js');
    const { batch, context, vocabulary: size } = item;
    const { config, summary } = await design(item);
    const source = new MemoryTokens(Array.from({ length: 65_536 }, (_, i) => (i * i) % (size - 4)));
    const marks = { start: size - 3, end: size - 2, mask: size - 1 };
    const words = { beginsInWord: new Uint8Array(size), endsInWord: new Uint8Array(size) };
    const texts = { source, vocabulary: { size, marks, endOfText: undefined, ...words } };
    const options = { batch, context, accumulate: 1, seed: 0, share: 0.15, wholeWords: false };
    const trainer = new MaskedTrainer(device, new Bert(new Initializer(device, 0), config), texts, options);
    const dispose = () => {
      trainer.optimizer.dispose();
      trainer.model.dispose();
    };
    return { run: () => trainer.step(1e-3), check: () => [summary.parameters], dispose };
  };

const contenders = { ...ours(sluice), ...pytorch('bert') };

main(import.meta.url, {
  name: 'bert',
  title: 'Training step of BERT-tiny on hidden words; the peer is Transformers on PyTorch',
  rounds: 7,
  ours: ['native', 'wasm', 'single'],
  ceiling: 'product',
  cases: (quick) => [caseOf(quick)],
  contenders,
  truth: async () => {
    const parameters = new Map();
    for (const quick of [false, true]) {
      const item = caseOf(quick);
      parameters.set(item.name, (await design(item)).summary.parameters);
    }
    return ({ name }) => [parameters.get(name)];
  },
  report: async (answers) => {
    const [rows, figures] = [[], []];
    for (const answer of answers) {
      const { batch, context } = answer.item;
      const tokens = batch * context;
      const flops = tokens * (await design(answer.item)).summary.trainingFlopsPerToken;
      const of = (unit, value) =>
        Object.fromEntries(Object.keys(contenders).map((name) => [`${name} ${unit}`, value(name)]));
      rows.push({
        model: answer.name,
        ...of('ms', (name) => answer.milliseconds(name)),
        ...of('tokens/s', (name) => answer.speed(name, tokens * 1e9)),
      });
      figures.push(...scores(answer, { flops, eager: { atLeast: 1.5 } }));
    }
    return { rows, scores: figures };
  },
});
