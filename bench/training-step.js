/** How fast does a LLaMA train? Forward, backward, clipping and AdamW, a loss read in every step. */

import { ourSummary } from './lib/our-llama.js';
import { main } from './lib/question.js';
import { scores } from './lib/score.js';
import { trainingCase, trainingContenders } from './lib/training-step.js';

const wanted = {
  large: { eager: { atLeast: 2 }, ceiling: { atLeast: 0.7 } },
  small: { eager: { atLeast: 3 } },
  demo: {},
};

main(import.meta.url, {
  name: 'training-step',
  title: 'Training step of a LLaMA: forward, backward, clipping and AdamW',
  rounds: 7,
  ours: ['native', 'wasm', 'single'],
  ceiling: 'product',
  cases: (quick) => Object.keys(wanted).map((size) => trainingCase(size, quick)),
  contenders: trainingContenders,
  truth: async () => {
    const parameters = new Map();
    for (const size of Object.keys(wanted)) {
      for (const quick of [false, true]) {
        const item = trainingCase(size, quick);
        parameters.set(item.name, (await ourSummary(item)).parameters);
      }
    }
    return ({ name }) => [parameters.get(name)];
  },
  report: async (answers) => {
    const [rows, figures] = [[], []];
    for (const answer of answers) {
      const { batch, context, size } = answer.item;
      const tokens = batch * context;
      const flops = tokens * (await ourSummary(answer.item)).trainingFlopsPerToken;
      const of = (unit, value) =>
        Object.fromEntries(Object.keys(trainingContenders).map((name) => [`${name} ${unit}`, value(name)]));
      rows.push({
        model: answer.name,
        ...of('ms', (name) => answer.milliseconds(name)),
        ...of('GFLOP/s', (name) => answer.speed(name, flops)),
        ...of('tokens/s', (name) => answer.speed(name, tokens * 1e9)),
      });
      figures.push(...scores(answer, { flops, ...wanted[size] }));
    }
    return { rows, scores: figures };
  },
});
