/** Does training keep its memory, and attention its promise not to hold length x length numbers? */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openSluice } from './lib/contenders.js';
import { demoTrainer } from './lib/demo-model.js';
import { noise } from './lib/measure.js';
import { solo } from './lib/solo.js';

/** The first step from which the memory must stay as it is. */
const steady = 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

/** What V8 sets aside for new objects: it doubles once or twice in a process's life, by how many survive. */
const youngGeneration = () =>
  getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').physical_space_size;

async function training(steps, changes) {
  const { device, tensors, description } = await openSluice();
  const { trainer, size } = await demoTrainer(device, changes);
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
  return { description, size, live, resident, young, heap };
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

async function attentionPeak(length, { heads, keyValueHeads, headDim }) {
  const { device, tensors } = await openSluice();
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

solo('memory', 'Memory', async (quick) => {
  const steps = quick ? 60 : 1000;
  const changes = quick ? { batch: 2, context: 32, layers: 1 } : {};
  const { description, size, live, resident, young, heap } = await training(steps, changes);
  const [least, most] = [Math.min(...live), Math.max(...live)];
  const growth = (resident.at(-1) - resident[0]) / (resident.length - 1);
  const rows = [
    { what: `live tensors from step ${steady} on, least`, bytes: least },
    { what: `live tensors from step ${steady} on, most`, bytes: most },
    { what: `resident after step ${steady}`, bytes: resident[0] },
    { what: `resident after step ${steps}`, bytes: resident.at(-1) },
    { what: `of it V8's young generation after step ${steady}`, bytes: young[0] },
    { what: `of it V8's young generation after step ${steps}`, bytes: young.at(-1) },
    ...[steady, steps / 2, steps].map((step, i) => ({
      what: `JavaScript's heap after step ${step}, collected`,
      bytes: heap[i],
    })),
  ];
  const findings = [
    { what: 'Live tensor bytes, most less least', value: most - least, wanted: '0', met: most === least },
    {
      what: `Resident memory grows from step ${steady} to ${steps} by`,
      value: growth,
      unit: ' bytes a step',
      wanted: '1024 or less',
      met: growth <= 1024,
    },
    {
      what: "The same without V8's young generation",
      value: growth - (young.at(-1) - young[0]) / (young.length - 1),
      unit: ' bytes a step',
    },
    {
      what: 'Its slope over the second half',
      value: slope(resident.map((bytes, i) => bytes - young[i]).slice(Math.floor(resident.length / 2))),
      unit: ' bytes a step',
    },
    {
      what: "JavaScript's collected heap grows in the second half by",
      value: (heap[2] - heap[1]) / (steps / 2),
      unit: ' bytes a step',
    },
  ];
  for (const shape of attentions) {
    const { peaks, finding } = await attentionGrowth(shape, quick ? [64, 256] : [256, 1024, 4096]);
    rows.push(...peaks);
    findings.push(finding);
  }
  return { description: `${description}; ${steps} steps of the demo's model (${size})`, rows, findings };
});

/** The peaks at several lengths: what is kept may grow with the length, but not with its square. */
async function attentionGrowth(shape, lengths) {
  const { heads, keyValueHeads, headDim } = shape;
  const name = `attention of ${heads} heads on ${keyValueHeads}, ${headDim} wide`;
  const peaks = [];
  for (const length of lengths) {
    const what = `${name}: peak at ${length} tokens, backward included`;
    peaks.push({ what, bytes: await attentionPeak(length, shape) });
  }
  const value = peaks.at(-1).bytes / peaks[0].bytes;
  const bound = (17 * lengths.at(-1)) / lengths[0] / 16;
  const what = `${name}: peak at ${lengths.at(-1)} tokens to that at ${lengths[0]}`;
  return { peaks, finding: { what, value, wanted: `${bound} or less`, met: value <= bound } };
}
