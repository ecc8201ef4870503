/** The works that bound all others on a machine, and who does them: no model is faster than these. */
import { openBlas } from './blas.js';
import { ours, pytorch } from './contenders.js';
import { noise } from './measure.js';
import { blasProducts, sluiceProducts } from './products.js';

/** What is read or copied is larger than any cache. */
const rowLength = 8192;
const shapeOf = ({ elements }) => [elements / rowLength, rowLength];

/** @param {boolean} quick @returns cases by their work, `amount` in FLOPs, bytes or elements */
export const works = (quick) => {
  const [size, large, small] = quick ? [128, 2 ** 16, 2 ** 14] : [1024, 2 ** 26, 2 ** 22];
  const timing = { repetitions: 3, minimum: 50 };
  const entries = {
    product: { size, amount: 2 * size ** 3, unit: 'GFLOP/s' },
    read: { elements: large, amount: 4 * large, unit: 'GB/s' },
    copy: { elements: large, amount: 8 * large, unit: 'GB/s' },
    exp: { elements: small, amount: small, unit: 'Gelem/s' },
    tanh: { elements: small, amount: small, unit: 'Gelem/s' },
  };
  return Object.fromEntries(
    Object.entries(entries).map(([work, item]) => [work, { name: work, work, timing, ...item }]),
  );
};

const sluice = async (opened) => {
  const { device, tensors } = opened;
  const { copyKernel } = await import('../../dist/experiments/formula-speed.js');
  const { newView } = await import('../../dist/experiments/evaluate-formula.js');
  const { mapKernel } = await import('../../dist/kernels/kernel.js');
  const { variable } = await import('../../dist/scalar/expression.js');
  const product = await sluiceProducts(opened);
  const map = (outputs) => mapKernel({ inputs: ['x'], scalars: [], outputs });
  const kernels = { exp: map([variable('x').exp()]), tanh: map([variable('x').tanh()]), copy: copyKernel };
  const sums = (item) => {
    const x = tensors.tensor(device, noise(item.elements, 4), shapeOf(item)).keep();
    return { pass: () => tensors.scope(device, () => void x.sum(1)), dispose: () => x.dispose() };
  };
  const maps = ({ work, elements }) => {
    const [x, output] = [newView(device, [elements], noise(elements, 4)), newView(device, [elements])];
    const pass = () => device.map(kernels[work], [x], [], [output]);
    return { pass, dispose: () => [x, output].map(({ buffer }) => device.free(buffer)) };
  };
  return (item) => {
    if (item.work === 'product') return product(item);
    const { pass, dispose } = (item.work === 'read' ? sums : maps)(item);
    const run = () => {
      pass();
      return device.synchronize();
    };
    return { run, check: () => [], dispose };
  };
};

/** A matrix is read as generation does it: by its product with a vector. */
async function blas() {
  const { prepare: product, missing, description } = await blasProducts();
  if (missing !== undefined) return { missing, description };
  const { library } = await openBlas();
  const sgemv = library.func(
    `void cblas_sgemv(int order, int trans, int m, int n, float alpha, const float *a, int lda,
      const float *x, int incx, float beta, float *y, int incy)`,
  );
  const prepare = (item) => {
    if (item.work === 'product') return product(item);
    if (item.work !== 'read') return undefined;
    const [m, n] = shapeOf(item);
    const [a, x, y] = [noise(m * n), noise(n), new Float32Array(m)];
    return { run: () => sgemv(101, 111, m, n, 1, a, n, x, 1, 0, y, 1), check: () => [] };
  };
  return { description, prepare };
}

/** The contenders. */
export const workers = {
  ...ours(sluice, { native: ['native'], wasm: ['wasm'] }),
  blas,
  ...pytorch('ceilings', { out: 'out', numpy: 'numpy' }),
};
