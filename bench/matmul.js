/** How fast is a matrix product? Ours on two threads beside what each peer has in Node. */
import { openJax, openSluice, openTensorflow } from './lib/contenders.js';
import { noise } from './lib/measure.js';
import { main, peerFindings } from './lib/question.js';

/** The rows of the product that are checked. */
const checkedRows = 3;
const operands = (size) => [noise(size * size, 1, 1), noise(size * size, 1, 2)];

async function sluice(threads) {
  const { device, tensors, description } = await openSluice(threads);
  const prepare = async ({ size }) => {
    const [a, b] = operands(size).map((values) => tensors.tensor(device, values, [size, size]).keep());
    const check = () => tensors.scope(device, () => a.matmul(b).slice(0, 0, checkedRows).toArray());
    const run = () =>
      tensors.scope(device, () => {
        a.matmul(b);
        return device.synchronize();
      });
    return { run, check, dispose: () => [a, b].map((tensor) => tensor.dispose()) };
  };
  return { description, prepare };
}

/** @type {import('./lib/question.js').Question} */
const question = {
  name: 'matmul',
  title: 'Matrix product, float32',
  rounds: 9,
  cases: (quick) =>
    (quick ? [128] : [1024, 512, 2048]).map((size) => ({
      name: `${size} x ${size} x ${size}`,
      size,
      tolerance: 1e-5,
      timing: { repetitions: 3, minimum: 150 },
    })),
  contenders: {
    sluice: () => sluice(2),
    single: () => sluice(1),
    tensorflow: async () => {
      const { tf, description } = await openTensorflow();
      const prepare = async ({ size }) => {
        const [a, b] = operands(size).map((values) => tf.tensor2d(values, [size, size]));
        return {
          run: () => tf.matMul(a, b).dispose(),
          check: async () => tf.tidy(() => tf.matMul(a, b).slice([0, 0], [checkedRows, size]).dataSync()),
          dispose: () => tf.dispose([a, b]),
        };
      };
      return { description, prepare };
    },
    jax: async () => {
      const { jax, description } = await openJax();
      const { numpy: np, jit, blockUntilReady } = jax;
      const product = jit((a, b) => np.matmul(a, b));
      const prepare = async ({ size }) => {
        const [a, b] = operands(size).map((values) => np.array(values).reshape([size, size]));
        return {
          run: async () => (await blockUntilReady(product(a.ref, b.ref))).dispose(),
          check: async () => (await product(a.ref, b.ref).data()).slice(0, checkedRows * size),
          dispose: () => [a, b].map((array) => array.dispose()),
        };
      };
      return { description, prepare };
    },
  },
  truth:
    async () =>
    ({ size }) => {
      const [a, b] = operands(size);
      const rows = new Float64Array(checkedRows * size);
      for (let i = 0; i < checkedRows; i++) {
        for (let k = 0; k < size; k++) {
          for (let j = 0; j < size; j++) rows[i * size + j] += a[i * size + k] * b[k * size + j];
        }
      }
      return rows;
    },
  report: (answers) => {
    const speed = (size, milliseconds) => (2 * size ** 3) / (milliseconds * 1e6);
    const rows = answers.map(({ name, item, milliseconds, ratios }) => ({
      product: name,
      'sluice GFLOP/s': speed(item.size, milliseconds.sluice),
      'sluice, 1 thread': speed(item.size, milliseconds.single),
      'tensorflow GFLOP/s': speed(item.size, milliseconds.tensorflow),
      'jax GFLOP/s': speed(item.size, milliseconds.jax),
      'x tensorflow': ratios.tensorflow,
      'x jax': ratios.jax,
    }));
    return { rows, findings: peerFindings(answers[0], { tensorflow: 3, jax: 3 }) };
  },
};

main(import.meta.url, question);
