/**
 * nanoGPT's preset for CPUs as a task: 4 layers, 4 heads, 128 wide, 64 characters, batch 12, 2,000 iterations, its
 * optimizer and schedule. PyTorch trains nanoGPT's own model; ours is the nearest LLaMA: a plain block with GELU of the
 * same width, but RMSNorm for LayerNorm and rotary for learned positions.
 */

import { characterFiles, characters } from './lib/characters.js';
import { ours, pytorch } from './lib/contenders.js';
import { median } from './lib/measure.js';
import { main } from './lib/question.js';
import { score } from './lib/score.js';

const size = { dim: 128, layers: 4, heads: 4, hidden: 512, context: 64, batch: 12 };
/** Stretches of a run, between which the contenders take turns. */
const stretches = 20;
const schedule = { schedule: 'cosine', lr: 1e-3, minLr: 1e-4, warmup: 100, steps: 2000 };

const sluice =
  async ({ device }) =>
  async ({ seed, rates, stretch }) => {
    const { MemoryTokens } = await import('../dist/data/token-source.js');
    const { evaluate } = await import('../dist/training/evaluate.js');
    const { Trainer } = await import('../dist/training/trainer.js');
    const { adamw } = await import('../dist/training/update-rules.js');
    const { gelu } = await import('../dist/activations/smooth.js');
    const { llama } = await import('../dist/models/llama.js');
    const text = await characters();
    const { batch, context, ...shape } = size;
    const model = llama(device, { ...shape, context, vocabSize: text.vocabulary, feedForward: gelu, seed });
    const [training, held] = [text.training, text.validation].map((ids) => new MemoryTokens(ids));
    const optimizer = adamw({ beta1: 0.9, beta2: 0.99, weightDecay: 0.1, clip: 1 });
    const trainer = new Trainer(device, model, training, { batch, context, accumulate: 1, seed, optimizer });
    const measure = async () => {
      const began = performance.now();
      for (let i = 0; i < stretch; i++) await trainer.step(rates[trainer.done]);
      const milliseconds = performance.now() - began;
      const bytes = new Int32Array(text.vocabulary).fill(1);
      const finished = trainer.done === rates.length;
      const { loss } = finished ? await evaluate(device, model, held, bytes, { batch: 64, context }) : {};
      return { median: milliseconds / stretch, best: milliseconds / stretch, loss };
    };
    const dispose = () => {
      trainer.dispose?.();
      model.dispose();
    };
    return { run: () => trainer.rehearse(), check: () => [], measure, dispose };
  };

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const contenders = { ...ours(sluice, { native: ['native'], wasm: ['wasm'] }), ...pytorch('nanogpt') };

async function report(answers) {
  const runs = Object.keys(contenders).filter((name) => answers.every(({ times }) => times[name] !== undefined));
  const summary = Object.fromEntries(
    runs.map((name) => {
      const all = answers.map(({ times }) => times[name]);
      const seconds = all.map((list) => (mean(list.map((time) => time.median)) * schedule.steps) / 1000);
      return [name, { seconds: mean(seconds), loss: mean(all.map((list) => list.at(-1).loss ?? Number.NaN)) }];
    }),
  );
  const rows = runs.map((name) => ({
    model: name,
    'ms an iteration': median(answers.map((answer) => answer.milliseconds(name))),
    'seconds in all': summary[name].seconds,
    'validation loss': summary[name].loss,
    ...Object.fromEntries(answers.map(({ item, times }) => [`seed ${item.seed}`, times[name].at(-1).loss])),
  }));
  const row = "nanoGPT's CPU preset, 2,000 iterations";
  const peers = { pytorch: 'x PyTorch eager', compiled: 'x torch.compile' };
  const scores = ['native', 'wasm']
    .filter((device) => runs.includes(device))
    .flatMap((device) => [
      ...Object.entries(peers).flatMap(([peer, of]) => {
        const ratios = answers.map((answer) => answer.ratio(device, peer)).filter((ratio) => ratio !== undefined);
        if (ratios.length === 0) return [];
        return score({
          row,
          device,
          of,
          value: median(ratios),
          ...(peer === 'pytorch' && device === 'native' ? { atLeast: 2 } : {}),
        });
      }),
      ...score({
        ...{ row, device, of: "validation loss less PyTorch's", atMost: 0.02 },
        value: summary.pytorch === undefined ? undefined : summary[device].loss - summary.pytorch.loss,
      }),
    ]);
  return { rows, scores };
}

async function cases(quick) {
  const { learningRate } = await import('../dist/training/schedules.js');
  const { vocabulary } = await characters();
  const files = await characterFiles();
  const iterations = quick ? 4 : schedule.steps;
  const rates = Array.from({ length: iterations }, (_, i) => learningRate(i, schedule));
  const common = { ...size, ...files, vocabulary, rates, warmups: 0 };
  const rounds = quick ? 1 : stretches;
  return (quick ? [0] : [0, 1, 2]).map((seed) => ({
    name: `seed ${seed}`,
    ...{ ...common, seed, rounds, stretch: iterations / rounds },
  }));
}

main(import.meta.url, {
  name: 'nanogpt',
  title:
    "nanoGPT's preset for CPUs: 4 layers, 4 heads, 128 wide, 64 characters of Moby Dick, batch 12, 2,000 iterations",
  rounds: stretches,
  ours: ['native', 'wasm'],
  cases,
  contenders,
  truth: async () => () => [],
  report,
});
