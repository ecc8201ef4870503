/** How fast does the demo's model train? */
import { openSluice } from './lib/contenders.js';
import { demoTrainer } from './lib/demo-model.js';
import { median } from './lib/measure.js';
import { solo } from './lib/solo.js';

async function stepTimes(threads, steps, changes) {
  const { device, description } = await openSluice(threads);
  const { trainer, settings, size, summary } = await demoTrainer(device, changes);
  const seconds = [];
  for (let i = 0; i < steps + 5; i++) seconds.push((await trainer.step(1e-3)).seconds);
  await device.close();
  return { description, size, settings, summary, seconds: median(seconds.slice(5)) };
}

solo('training-step', 'Training step: forward, backward, clipping and AdamW', async (quick) => {
  const changes = quick ? { batch: 2, context: 32, layers: 1 } : {};
  const rows = [];
  let description = '';
  let best = 0;
  for (const threads of [1, 2]) {
    const result = await stepTimes(threads, quick ? 2 : 40, changes);
    const tokens = result.settings.batch * result.settings.context;
    description = result.description;
    best = tokens / result.seconds;
    rows.push({
      model: result.size,
      threads,
      'ms a step': result.seconds * 1000,
      'tokens/s': best,
      'GFLOP/s': (result.summary.trainingFlopsPerToken * best) / 1e9,
    });
  }
  return { description, rows, findings: [{ what: 'Tokens per second on 2 threads', value: best }] };
});
