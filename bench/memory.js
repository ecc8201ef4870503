/** Does training keep its memory, and attention its promise not to hold length x length numbers? */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openSluice } from './lib/contenders.js';
import { noise } from './lib/measure.js';
import { ourTrainer } from './lib/our-llama.js';
import { score } from './lib/score.js';
import { solo } from './lib/solo.js';
import { trainingCase } from './lib/training-step.js';

/** The first step from which the memory must stay as it is. */
const steady = 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** What V8 sets aside for new objects: it doubles once or twice in a process's life, by how many survive. */
const youngGeneration = () =>
  getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').physical_space_size;

async function training(name, steps, quick) {
  const { device, tensors, description } = await openSluice(name);
  const item = trainingCase('demo', quick);
  const trainer = await ourTrainer(device, item);
  const [live, resident, young, heap] = [[], [], [], []];
  for (let i = 1; i <= steps; i++) {
    await trainer.step(1e-3);
    if (i < steady) continue;
    live.push(tensors.memory(device).liveBytes);
    resident.push(process.memoryUsage.rss());
    young.push(youngGeneration());
    if (i === steady || i === steps / 2 || i === steps) {
      collect();
      heap.push(process.memoryUsage().heapUsed);
    }
  }
  await device.close();
  return { description: `${description}; ${steps} steps, ${item.name}`, live, resident, young, heap };
}

/** Bytes a step by which a series grows: the slope of the line through it by least squares. */
function slope(series) {
  const middle = (series.length - 1) / 2;
  let [above, below] = [0, 0];
  series.forEach((value, i) => {
    above += (i - middle) * value;
    below += (i - middle) ** 2;
  });
  return above / below;
}

/** Grouped queries as in the demo's model, and as many keys as queries. */
const attentions = [
  { heads: 4, keyValueHeads: 2, headDim: 32 },
  { heads: 8, keyValueHeads: 8, headDim: 64 },
];

async function attentionPeak(name, length, { heads, keyValueHeads, headDim }) {
  const { device, tensors } = await openSluice(name);
  const make = (count, seed) => {
    const made = tensors.tensor(device, noise(length * count * headDim, 1, seed), [1, length, count, headDim]).keep();
    made.requiresGrad = true;
    return made;
  };
  const [query, key, value] = [make(heads, 1), make(keyValueHeads, 2), make(keyValueHeads, 3)];
  const result = query.attention(key, value, { causal: true });
  result.backward(tensors.ones(device, result.shape));
  const values = await query.grad.toArray();
  if (!values.every(Number.isFinite)) throw new Error('a gradient is not finite');
  const { peakBytes } = device.memory();
  await device.close();
  return peakBytes;
}

/** What a device holds over a thousand steps, and attention over lengths; none where it does not work. */
async function memoryOf(name, quick) {
  const { missing, device } = await openSluice(name);
  if (missing !== undefined) return { description: `${name}: left out, ${missing}`, rows: [], scores: [] };
  await device.close();
  const steps = quick ? 60 : 1000;
  const { description, live, resident, young, heap } = await training(name, steps, quick);
  const [least, most] = [Math.min(...live), Math.max(...live)];
  const growth = (resident.at(-1) - resident[0]) / (resident.length - 1);
  const bytes = {
    [`live tensors from step ${steady} on, least`]: least,
    [`live tensors from step ${steady} on, most`]: most,
    [`resident after step ${steady}`]: resident[0],
    [`resident after step ${steps}`]: resident.at(-1),
    [`of it V8's young generation after step ${steady}`]: young[0],
    [`of it V8's young generation after step ${steps}`]: young.at(-1),
    ...Object.fromEntries(
      [steady, steps / 2, steps].map((step, i) => [`JavaScript's heap after step ${step}, collected`, heap[i]]),
    ),
  };
  const second = resident.map((bytes, i) => bytes - young[i]).slice(Math.floor(resident.length / 2));
  const row = 'a steady training loop';
  const scores = [
    ...score({ row, device: name, of: 'bytes between most and least live', value: most - least, atMost: 0 }),
    ...score({ row, device: name, of: 'bytes a step that resident memory grows', value: growth, atMost: 1024 }),
    ...score({
      ...{ row, device: name, of: "bytes a step without V8's young generation" },
      value: growth - (young.at(-1) - young[0]) / (young.length - 1),
    }),
    ...score({ row, device: name, of: 'bytes a step, slope of its second half', value: slope(second) }),
    ...score({
      ...{ row, device: name, of: "bytes a step, JavaScript's collected heap in the second half" },
      value: (heap[2] - heap[1]) / (steps / 2),
    }),
  ];
  for (const shape of attentions) {
    const { peaks, finding } = await attentionGrowth(name, shape, quick ? [64, 256] : [256, 1024, 4096]);
    Object.assign(bytes, peaks);
    scores.push(...finding);
  }
  return { description, rows: Object.entries(bytes).map(([what, bytes]) => ({ device: name, what, bytes })), scores };
}

/** The peaks at several lengths: what is kept may grow with the length, but not with its square. */
async function attentionGrowth(device, shape, lengths) {
  const { heads, keyValueHeads, headDim } = shape;
  const row = `attention of ${heads} heads on ${keyValueHeads}, ${headDim} wide`;
  const peaks = {};
  for (const length of lengths)
    peaks[`${row}: peak at ${length} tokens, backward included`] = await attentionPeak(device, length, shape);
  const [first, ...others] = Object.values(peaks);
  const of = `times the peak at ${lengths[0]} tokens at ${lengths.at(-1)}`;
  const atMost = (17 * lengths.at(-1)) / lengths[0] / 16;
  return { peaks, finding: score({ row, device, of, value: others.at(-1) / first, atMost }) };
}

solo('memory', 'Memory that training keeps', async (quick) => {
  const parts = [];
  for (const name of ['native', 'wasm']) parts.push(await memoryOf(name, quick));
  return {
    descriptions: Object.fromEntries(parts.map(({ description }, i) => [i, description])),
    rows: parts.flatMap(({ rows }) => rows),
    scores: parts.flatMap(({ scores }) => scores),
  };
});
