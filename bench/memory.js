/** Does training keep its memory, and attention its promise not to hold length x length numbers? */
import { openSluice } from './lib/contenders.js';
import { demoTrainer } from './lib/demo-model.js';
import { noise } from './lib/measure.js';
import { solo } from './lib/solo.js';

/** The first step from which the memory must stay as it is. */
const steady = 20;

async function training(steps, changes) {
  const { device, tensors, description } = await openSluice();
  const { trainer, size } = await demoTrainer(device, changes);
  const [live, resident] = [[], []];
  for (let i = 0; i < steps; i++) {
    await trainer.step(1e-3);
    live.push(tensors.memory(device).liveBytes);
    resident.push(process.memoryUsage.rss());
  }
  await device.close();
  return { description, size, live: live.slice(steady - 1), resident: resident.slice(steady - 1) };
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

async function attentionPeak(length) {
  const { device, tensors } = await openSluice();
  const [batch, heads, keyValueHeads, headDim] = [1, 4, 2, 32];
  const make = (count, seed) => {
    const made = tensors
      .tensor(device, noise(length * count * headDim, 1, seed), [batch, length, count, headDim])
      .keep();
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
  const steps = quick ? 40 : 1000;
  const { description, size, live, resident } = await training(
    steps,
    quick ? { batch: 2, context: 32, layers: 1 } : {},
  );
  const [least, most] = [Math.min(...live), Math.max(...live)];
  const growth = (resident.at(-1) - resident[0]) / (resident.length - 1);
  const second = slope(resident.slice(Math.floor(resident.length / 2)));
  const lengths = quick ? [64, 256] : [256, 1024, 4096];
  const peaks = [];
  for (const length of lengths) peaks.push(await attentionPeak(length));
  const ratio = peaks.at(-1) / peaks[0];
  const bound = (17 * lengths.at(-1)) / lengths[0] / 16;
  const rows = [
    { what: `live tensors after step ${steady}, least`, bytes: least },
    { what: `live tensors after step ${steady}, most`, bytes: most },
    { what: `resident after step ${steady}`, bytes: resident[0] },
    { what: `resident after step ${steps}`, bytes: resident.at(-1) },
    ...lengths.map((length, i) => ({
      what: `attention's peak, forward and backward, ${length} tokens`,
      bytes: peaks[i],
    })),
  ];
  const findings = [
    {
      what: `Live tensor bytes from step ${steady} to ${steps} differ by`,
      value: most - least,
      wanted: '0',
      met: most === least,
    },
    {
      what: 'Resident memory grows by',
      value: growth,
      unit: ' bytes a step',
      wanted: '1024 or less',
      met: growth <= 1024,
    },
    { what: 'The same, slope over the second half', value: second, unit: ' bytes a step' },
    {
      what: `Attention's peak at ${lengths.at(-1)} tokens to that at ${lengths[0]}`,
      value: ratio,
      wanted: `${bound} or less`,
      met: ratio <= bound,
    },
  ];
  return { description: `${description}; ${steps} steps of the demo's model (${size})`, rows, findings };
});
