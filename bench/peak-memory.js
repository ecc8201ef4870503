/** How much memory does a training step take? The most that each process ever has resident, libraries and all. */

import { fileURLToPath } from 'node:url';
import { startAll } from './lib/processes.js';
import { score } from './lib/score.js';
import { solo } from './lib/solo.js';
import { trainingCase, trainingContenders } from './lib/training-step.js';

/** Steps after which nothing new is allocated. */
const steps = 6;
const file = fileURLToPath(new URL('training-step.js', import.meta.url));

/** Each alone, one after the other. */
async function peaks(item, quick) {
  const [bytes, descriptions] = [{}, {}];
  for (const name of Object.keys(trainingContenders).filter((name) => name !== 'single')) {
    const { running, descriptions: described } = await startAll(file, trainingContenders, { quick, against: name });
    Object.assign(descriptions, described);
    for (const { ask, stop } of running) {
      const before = await ask({ do: 'peak' });
      await ask({ do: 'prepare', item: { ...item, warmups: steps } });
      bytes[name] = { before, peak: await ask({ do: 'peak' }) };
      stop();
    }
  }
  return { bytes, descriptions };
}

solo('peak-memory', 'Peak memory of a training step, MB resident', async (quick) => {
  const [rows, scores] = [[], []];
  let all = {};
  for (const size of ['large', 'small']) {
    const item = trainingCase(size, quick);
    const { bytes, descriptions } = await peaks(item, quick);
    all = descriptions;
    for (const [name, { before, peak }] of Object.entries(bytes)) {
      rows.push({ model: item.name, by: name, 'before the model': before / 1e6, peak: peak / 1e6 });
      if (bytes.pytorch === undefined || !['native', 'wasm'].includes(name)) continue;
      const bound = size === 'large' && name === 'native' ? { atMost: 0.7 } : {};
      const value = peak / bytes.pytorch.peak;
      scores.push(...score({ row: `peak memory, ${item.name}`, device: name, of: "of PyTorch's", value, ...bound }));
    }
  }
  return { descriptions: all, rows, scores };
});
