/** How long until the first training step is done? With an empty kernel cache, and with a warm one. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from './lib/measure.js';
import { ourTrainer } from './lib/our-llama.js';
import { score } from './lib/score.js';
import { solo } from './lib/solo.js';
import { trainingCase } from './lib/training-step.js';

const file = fileURLToPath(import.meta.url);
const limits = { empty: 4, warm: 1 };

/** In a process of its own: milliseconds from its start to the device, the model and the first and second step. */
async function child(name, size, quick) {
  const { openDevice } = await import('../dist/devices/open.js');
  const device = await openDevice(name, { threads: 2 });
  const opened = performance.now();
  const trainer = await ourTrainer(device, trainingCase(size, quick));
  await device.synchronize();
  const made = performance.now();
  await trainer.step(1e-3);
  const stepped = performance.now();
  await trainer.step(1e-3);
  const second = performance.now() - stepped;
  await device.close();
  console.log(JSON.stringify({ description: device.description, opened, made, stepped, second }));
}

/** Sluice keeps its kernels in the user's cache folder. */
function run(name, size, folder, quick) {
  const args = [file, '--child', name, size, ...(quick ? ['--quick'] : [])];
  const env = { ...process.env, XDG_CACHE_HOME: folder };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  if (status !== 0)
    return {
      missing:
        stderr
          .trim()
          .split('\n')
          .find((line) => /Error/.test(line)) ?? `ended with ${status}`,
    };
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

function times(name, size, quick) {
  const [empty, warm] = [[], []];
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
    try {
      empty.push(run(name, size, folder, quick));
      warm.push(run(name, size, folder, quick));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return { empty, warm };
}

if (process.argv[2] === '--child') {
  const [, , , name, size, quick] = process.argv;
  await child(name, size, quick !== undefined);
} else {
  await solo('first-step', 'The first training step, seconds', async (quick) => {
    const [rows, scores, descriptions] = [[], [], {}];
    for (const size of ['large', 'small']) {
      // Without a compiler nothing is kept, and what is large shows.
      for (const name of size === 'large' ? ['native', 'wasm'] : ['native']) {
        for (const [cache, list] of Object.entries(times(name, size, quick))) {
          const missing = list.find((one) => one.missing !== undefined)?.missing;
          descriptions[name] = missing === undefined ? list[0].description : `${name}: left out, ${missing}`;
          if (missing !== undefined) continue;
          const at = (moment) => median(list.map(moment)) / 1000;
          const { name: model } = trainingCase(size, quick);
          const step = at(({ made, stepped }) => stepped - made);
          rows.push({
            ...{ model, device: name, cache, 'device open': at(({ opened }) => opened) },
            ...{ 'model made': at(({ made }) => made), 'first step done': at(({ stepped }) => stepped) },
            ...{ 'the step alone': step, 'the second': at(({ second }) => second) },
          });
          const bounds = name === 'native' && size === 'large' ? { below: limits[cache] } : {};
          const common = { row: `first step, ${cache} kernel cache, ${model}`, device: name };
          const whole = at(({ stepped }) => stepped);
          scores.push(...score({ ...common, of: 'seconds from the start of the process', value: whole, ...bounds }));
          scores.push(...score({ ...common, of: 'seconds of the step alone', value: step }));
        }
      }
    }
    return { descriptions, rows, scores };
  });
}
