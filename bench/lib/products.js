/** Who multiplies two square matrices, and how. */
import { openBlas } from './blas.js';
import { openJax, openTensorflow, ours, pytorch } from './contenders.js';
import { noise } from './measure.js';

/** The rows of the product that are checked. */
const checkedRows = 3;
export const operands = (size) => [noise(size * size, 1, 1), noise(size * size, 1, 2)];

/** By tensors, as a user's model does it. */
export const sluiceProducts =
  async ({ device, tensors }) =>
  ({ size }) => {
    const [a, b] = operands(size).map((values) => tensors.tensor(device, values, [size, size]).keep());
    const check = () => tensors.scope(device, () => a.matmul(b).slice(0, 0, checkedRows).toArray());
    const run = () =>
      tensors.scope(device, () => {
        a.matmul(b);
        return device.synchronize();
      });
    return { run, check, dispose: () => [a, b].map((tensor) => tensor.dispose()) };
  };

/** cblas_sgemm on arrays of JavaScript: row-major, nothing transposed. */
export async function blasProducts() {
  const { library, path, missing } = await openBlas();
  if (missing !== undefined) return { missing, description: 'BLAS called directly' };
  const sgemm = library.func(
    `void cblas_sgemm(${['order', 'transA', 'transB', 'm', 'n', 'k'].map((name) => `int ${name}`).join(', ')},
      float alpha, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc)`,
  );
  const prepare = ({ size }) => {
    const [a, b] = operands(size);
    const c = new Float32Array(size * size);
    const run = () => sgemm(101, 111, 111, size, size, size, 1, a, size, b, size, 0, c, size);
    return { run, check: () => c.subarray(0, checkedRows * size) };
  };
  return { description: `${path} called directly`, prepare };
}

async function tensorflow() {
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
}

async function jax() {
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
}

/** The contenders. */
export const products = {
  ...ours(sluiceProducts),
  blas: blasProducts,
  ...pytorch('matmul', { pytorch: 'eager', out: 'out', numpy: 'numpy' }),
  tensorflow,
  jax,
};

/** The first rows of the product, in float64. */
export function expectedRows({ size }) {
  const [a, b] = operands(size);
  const rows = new Float64Array(checkedRows * size);
  for (let i = 0; i < checkedRows; i++) {
    for (let k = 0; k < size; k++) {
      for (let j = 0; j < size; j++) rows[i * size + j] += a[i * size + k] * b[k * size + j];
    }
  }
  return rows;
}
