/**
 * How fast does text come out? A model of SmolLM-135M's shape with random weights, one sequence, greedy, with the cache
 * of keys and values. A token's weights have to be read once: what memory gives is the ceiling.
 */
import { ours, pytorch } from './lib/contenders.js';
import { median } from './lib/measure.js';
import { ourModel, ourSummary } from './lib/our-llama.js';
import { main } from './lib/question.js';
import { score } from './lib/score.js';

/** Letters alone: a tokenizer that costs nothing. */
const tokenizer = {
  endOfText: undefined,
  encode: (text) => Uint32Array.from(text, (letter) => letter.codePointAt(0)),
  streamDecoder: () => ({ push: () => 'x', flush: () => '' }),
};

/** Milliseconds a token, the first (which is the prompt's) left out. */
function pace(times) {
  const gaps = times.slice(1).map((time, i) => time - times[i]);
  return { median: (times.at(-1) - times[0]) / gaps.length, best: Math.min(...gaps) };
}

const sluice = async ({ device }) => {
  const { generate } = await import('../dist/runs/generate.js');
  const { greedy } = await import('../dist/runs/sampling.js');
  return async (item) => {
    const model = await ourModel(device, item);
    const measure = async () => {
      const options = { ...greedy, prompt: 'Call me ', maxTokens: item.tokens };
      const times = [];
      for await (const _ of generate(device, model, tokenizer, options)) times.push(performance.now());
      return pace(times);
    };
    const { parameters } = await ourSummary(item);
    return { run: measure, check: () => [parameters], measure, dispose: () => model.dispose() };
  };
};

const ways = { pytorch: 'eager', compiled: 'compile', transformers: 'transformers' };
const contenders = { ...ours(sluice, { native: ['native'], wasm: ['wasm'] }), ...pytorch('generate', ways) };
const shape = { vocabulary: 49_152, dim: 576, layers: 30, heads: 9, kvHeads: 3, hidden: 1536, context: 256 };

/** The peers' better one at its default: by hand or `transformers`. */
function betterRatio(answer, device) {
  const ratios = ['pytorch', 'transformers'].map((peer) => answer.ratio(device, peer));
  const known = ratios.filter((ratio) => ratio !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

async function report(answers) {
  const [rows, scores] = [[], []];
  for (const answer of answers) {
    const bytes = 4 * (await ourSummary(answer.item)).parameters;
    const row = answer.name;
    for (const name of Object.keys(contenders)) {
      const milliseconds = answer.milliseconds(name);
      if (milliseconds === undefined) continue;
      // The ceiling is in GB/s: what reading the weights once a token would give.
      const share = answer.share(name, bytes);
      rows.push({
        ...{ model: name, 'ms a token': milliseconds, 'tokens/s': 1000 / milliseconds },
        ...{ 'GB/s of weights': bytes / (milliseconds * 1e6), 'of read bandwidth': share },
      });
      const bounds = name === 'native' ? { atLeast: 0.6 } : {};
      scores.push(...score({ row, device: name, of: 'of read bandwidth', value: share, ...bounds }));
    }
    for (const device of ['native', 'wasm']) {
      const bounds = device === 'native' ? { atLeast: 1.5 } : {};
      const common = { row, device };
      scores.push(
        ...score({ ...common, of: 'x PyTorch eager', value: betterRatio(answer, device), ...bounds }),
        ...score({ ...common, of: 'x torch.compile', value: answer.ratio(device, 'compiled') }),
      );
    }
    rows.push({ model: 'reading memory', 'GB/s of weights': median(answer.ceilings) });
  }
  return { rows, scores };
}

main(import.meta.url, {
  name: 'generate',
  title: "Generation, SmolLM-135M's shape with random weights, one sequence, greedy, cached",
  rounds: 5,
  ours: ['native', 'wasm'],
  ceiling: 'read',
  cases: (quick) => [
    {
      ...{ ...shape, ...(quick ? { layers: 1, vocabulary: 256 } : {}) },
      ...{ name: "generation, SmolLM-135M's shape", tokens: quick ? 4 : 128, warmups: 1 },
    },
  ],
  contenders,
  truth: async () => {
    const parameters = new Map();
    for (const change of [{}, { layers: 1, vocabulary: 256 }]) {
      const item = { ...shape, ...change };
      parameters.set(item.layers, (await ourSummary(item)).parameters);
    }
    return ({ layers }) => [parameters.get(layers)];
  },
  report,
});
