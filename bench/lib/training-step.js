/** Whose training step is timed, and of which models; the memory of one is a question of its own. */
import { ours, pytorch } from './contenders.js';
import { ourSummary, ourTrainer } from './our-llama.js';

/** The models of the issue that set the goals, and the one that `npm start` trains. */
const sizes = {
  large: { vocabulary: 4096, dim: 288, layers: 6, heads: 6, hidden: 768, batch: 8, context: 256 },
  small: { vocabulary: 4096, dim: 64, layers: 4, heads: 4, hidden: 176, batch: 8, context: 64 },
  demo: { vocabulary: 1024, dim: 96, layers: 3, heads: 3, kvHeads: 1, hidden: 256, batch: 8, context: 128 },
};

/** Steps that nobody times: engines compile JavaScript for a hundred and more, which counts where steps are short. */
const warmups = { large: 3, small: 150, demo: 60 };

/** @param {keyof typeof sizes} size @param {boolean} quick with few and short sequences */
export function trainingCase(size, quick) {
  const item = { kvHeads: sizes[size].heads, ...sizes[size], ...(quick ? { layers: 1, batch: 2, context: 16 } : {}) };
  const { dim, layers, batch, context } = item;
  return {
    name: `LLaMA step, d ${dim}, ${layers} layers, ${batch} x ${context}`,
    ...{ ...item, size, timing: { repetitions: 3, minimum: 300 } },
    ...(quick ? {} : { warmups: warmups[size] }),
  };
}

const sluice =
  async ({ device }) =>
  async (item) => {
    const trainer = await ourTrainer(device, item);
    const { parameters } = await ourSummary(item);
    const dispose = () => {
      trainer.optimizer.dispose();
      trainer.model.dispose();
    };
    return { run: () => trainer.step(1e-3), check: () => [parameters], dispose };
  };

/** The contenders. */
export const trainingContenders = { ...ours(sluice), ...pytorch('training_step') };
