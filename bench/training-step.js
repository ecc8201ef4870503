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
  const small = { batch: 2, context: 32, layers: 1 };
  const asked = [
    { threads: 1, steps: 100, changes: {} },
    { threads: 2, steps: 100, changes: {} },
    { threads: 2, steps: 6, changes: { preset: '7m', batch: 8 } },
  ];
  const rows = [];
  const descriptions = new Set();
  for (const { threads, steps, changes } of asked) {
    const result = await stepTimes(threads, quick ? 2 : steps, quick ? { ...changes, ...small } : changes);
    const { settings, seconds, summary } = result;
    const speed = (settings.batch * settings.context) / seconds;
    descriptions.add(result.description);
    rows.push({
      model: result.size,
      threads,
      'ms a step': seconds * 1000,
      'tokens/s': speed,
      'GFLOP/s': (summary.trainingFlopsPerToken * speed) / 1e9,
    });
  }
  const findings = [{ what: "The demo's tokens per second on 2 threads", value: rows[1]['tokens/s'] }];
  return { description: [...descriptions].join('; '), rows, findings };
});
