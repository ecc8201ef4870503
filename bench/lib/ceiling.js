/** The bound of a work in the same minute: the best of every library at hand. */
import { fileURLToPath } from 'node:url';
import { startAll } from './processes.js';
import { workers, works } from './works.js';

/** `measure` gives GFLOP/s or GB/s. @param {'product' | 'read'} work */
export async function openCeiling(work, { quick }) {
  const file = fileURLToPath(new URL('../ceilings.js', import.meta.url));
  const { running, descriptions } = await startAll(file, workers, { quick });
  const item = works(quick)[work];
  const able = [];
  for (const contender of running) {
    if ((await contender.ask({ do: 'prepare', item })) !== undefined) able.push(contender);
  }
  const measure = async () => {
    let best = 0;
    for (const { ask } of able)
      best = Math.max(best, item.amount / ((await ask({ do: 'measure', item })).median * 1e6));
    return best;
  };
  const names = able.map(({ name }) => descriptions[name]).join('; ');
  const what = work === 'product' ? `products of ${item.size} cubed` : `reading ${item.amount / 2 ** 20} MiB`;
  return { running, measure, description: `The ceiling is the best at ${what} of: ${names}` };
}
