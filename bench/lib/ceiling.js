/** What matrix products can reach in the same minute: the best of every library at hand. */
import { fileURLToPath } from 'node:url';
import { startAll } from './processes.js';
import { products } from './products.js';

const libraries = {
  native: 'our own',
  blas: 'the BLAS called directly',
  out: "PyTorch's",
  numpy: "NumPy's",
};

/** `measure` gives GFLOP/s; `against` names the libraries, with commas. */
export async function openCeiling({ quick, against }) {
  const file = fileURLToPath(new URL('../matmul.js', import.meta.url));
  const contenders = Object.fromEntries(Object.keys(libraries).map((name) => [name, products[name]]));
  const { running } = await startAll(file, contenders, { quick, against });
  const size = quick ? 128 : 1024;
  const item = { name: 'ceiling', size, timing: { repetitions: 5, minimum: 50 } };
  for (const { ask } of running) await ask({ do: 'prepare', item });
  const measure = async () => {
    let best = 0;
    for (const { ask } of running) {
      const { median } = await ask({ do: 'measure', item });
      best = Math.max(best, (2 * size ** 3) / (median * 1e6));
    }
    return best;
  };
  const names = running.map(({ name }) => libraries[name]).join(', ');
  return { running, measure, description: `Ceiling: the fastest product of ${size} cubed, of ${names}` };
}
