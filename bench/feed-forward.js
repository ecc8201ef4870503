/** What does a SwiGLU block cost, forward and backward? */
import { openJax, openTensorflow, ours, pytorch } from './lib/contenders.js';
import { noise } from './lib/measure.js';
import { main } from './lib/question.js';
import { browserScores, scores } from './lib/score.js';

/** x [tokens, dim], the gradient of the output, and gate, up [dim, hidden] and down [hidden, dim]. */
function operands({ tokens, dim, hidden }) {
  const shapes = { x: [tokens, dim], dy: [tokens, dim], gate: [dim, hidden], up: [dim, hidden], down: [hidden, dim] };
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape], i) => {
      const scale = ['x', 'dy'].includes(name) ? 1 : 2 / Math.sqrt(shape[0]);
      return [name, { shape, values: noise(shape[0] * shape[1], scale, i + 1) }];
    }),
  );
}

/** Weights of our layers are [outputs, inputs], as in checkpoints. */
function transposed({ shape: [rows, columns], values }) {
  const result = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j];
  return result;
}

const sluice = async ({ device, tensors }) => {
  const { GatedFeedForward } = await import('../dist/layers/feed-forward.js');
  const { Initializer } = await import('../dist/layers/initialization.js');
  const { Mode } = await import('../dist/layers/mode.js');
  const { swiglu } = await import('../dist/activations/gates.js');
  return async (item) => {
    const { x: input, dy: cotangent, ...weights } = operands(item);
    const block = new GatedFeedForward(new Initializer(device, 0), item.dim, item.hidden, swiglu);
    for (const name of ['gate', 'up', 'down']) block[`${name}Proj`].weight.write(transposed(weights[name]));
    const [x, dy] = [input, cotangent].map(({ values, shape }) => tensors.tensor(device, values, shape).keep());
    x.requiresGrad = true;
    const leaves = [x, ...block.parameters()];
    const mode = Mode.training(0, 0);
    const pass = () => {
      for (const leaf of leaves) leaf.zeroGrad();
      const y = block.forward(x, mode);
      y.backward(dy);
      return y;
    };
    const run = () =>
      tensors.scope(device, () => {
        pass();
        return device.synchronize();
      });
    const check = () =>
      tensors.scope(device, async () => {
        const y = pass();
        const weightGradients = [block.gateProj, block.downProj].map(({ weight }) => weight.grad.transpose(0, 1));
        const parts = [];
        for (const tensor of [y, x.grad, ...weightGradients])
          parts.push(...(await tensor.toArray()).slice(0, item.dim));
        return parts;
      });
    const dispose = () => [...leaves, dy].map((tensor) => tensor.dispose());
    return { run, check, dispose };
  };
};

async function tensorflow() {
  const { tf, description } = await openTensorflow();
  const silu = (x) => tf.mul(tf.sigmoid(x), x);
  const block = (x, gate, up, down) => tf.matMul(tf.mul(silu(tf.matMul(x, gate)), tf.matMul(x, up)), down);
  const both = tf.valueAndGrads(block);
  const prepare = async (item) => {
    const { x, dy, gate, up, down } = Object.fromEntries(
      Object.entries(operands(item)).map(([name, { values, shape }]) => [name, tf.tensor2d(values, shape)]),
    );
    const pass = () => tf.tidy(() => both([x, gate, up, down], dy));
    const check = async () => {
      const made = pass();
      const [dx, dGate, , dDown] = made.grads;
      const parts = [made.value, dx, dGate, dDown].flatMap((tensor) => [...tensor.dataSync().slice(0, item.dim)]);
      tf.dispose(made);
      return parts;
    };
    return { run: () => tf.dispose(pass()), check };
  };
  return { description, prepare };
}

async function jaxjs() {
  const { jax, description } = await openJax();
  const { numpy: np, nn, jit, vjp, blockUntilReady } = jax;
  const block = (x, gate, up, down) => np.matmul(nn.silu(np.matmul(x.ref, gate)).mul(np.matmul(x, up)), down);
  const both = jit((x, gate, up, down, dy) => {
    const [y, pull] = vjp(block, [x, gate, up, down]);
    const gradients = pull(dy);
    pull.dispose();
    return [y, ...gradients];
  });
  const prepare = async (item) => {
    const { x, dy, gate, up, down } = Object.fromEntries(
      Object.entries(operands(item)).map(([name, { values, shape }]) => [name, np.array(values).reshape(shape)]),
    );
    const pass = () => both(x.ref, gate.ref, up.ref, down.ref, dy.ref);
    const check = async () => {
      const [y, dx, dGate, dUp, dDown] = pass();
      dUp.dispose();
      const parts = [];
      for (const array of [y, dx, dGate, dDown]) parts.push(...(await array.data()).slice(0, item.dim));
      return parts;
    };
    const run = async () => {
      for (const array of await blockUntilReady(pass())) array.dispose();
    };
    return { run, check };
  };
  return { description, prepare };
}

/** Row-major product in float64; `a` or `b` as given or transposed, by the strides of the inner index. */
function product(m, k, n, a, b) {
  const result = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let l = 0; l < k; l++) {
      const factor = a(i, l);
      for (let j = 0; j < n; j++) result[i * n + j] += factor * b(l, j);
    }
  }
  return result;
}

function expected(item) {
  const { tokens, dim, hidden } = item;
  const { x, dy, gate, up, down } = Object.fromEntries(Object.entries(operands(item)).map(([n, o]) => [n, o.values]));
  const u = product(
    tokens,
    dim,
    hidden,
    (i, l) => x[i * dim + l],
    (l, j) => gate[l * hidden + j],
  );
  const v = product(
    tokens,
    dim,
    hidden,
    (i, l) => x[i * dim + l],
    (l, j) => up[l * hidden + j],
  );
  const s = u.map((at) => 1 / (1 + Math.exp(-at)));
  const h = u.map((at, i) => at * s[i] * v[i]);
  const y = product(
    1,
    hidden,
    dim,
    (_, l) => h[l],
    (l, j) => down[l * dim + j],
  );
  const dh = product(
    tokens,
    dim,
    hidden,
    (i, l) => dy[i * dim + l],
    (l, j) => down[j * dim + l],
  );
  const du = dh.map((at, i) => at * v[i] * (s[i] * (1 + u[i] * (1 - s[i]))));
  const dv = dh.map((at, i) => at * u[i] * s[i]);
  const back = product(
    1,
    hidden,
    dim,
    (_, l) => du[l],
    (l, j) => gate[j * hidden + l],
  );
  const through = product(
    1,
    hidden,
    dim,
    (_, l) => dv[l],
    (l, j) => up[j * hidden + l],
  );
  const dx = back.map((at, i) => at + through[i]);
  const dGate = product(
    1,
    tokens,
    hidden,
    (_, l) => x[l * dim],
    (l, j) => du[l * hidden + j],
  );
  const dDown = product(
    1,
    tokens,
    dim,
    (_, l) => h[l * hidden],
    (l, j) => dy[l * dim + j],
  );
  return [y, dx, dGate, dDown].flatMap((values) => [...values.slice(0, item.dim)]);
}

const contenders = { ...ours(sluice), ...pytorch('feed_forward'), tensorflow, jax: jaxjs };
const flops = ({ item }) => 18 * item.tokens * item.dim * item.hidden;

function report(answers) {
  const rows = answers.map((answer) => ({
    block: answer.name,
    ...Object.fromEntries(Object.keys(contenders).map((name) => [`${name} ms`, answer.milliseconds(name)])),
    ...Object.fromEntries(
      Object.keys(contenders).map((name) => [`${name} GFLOP/s`, answer.speed(name, flops(answer))]),
    ),
  }));
  const figures = answers.flatMap((answer) =>
    answer.item.only === undefined
      ? browserScores(answer, { tensorflow: 15, jax: 3 })
      : scores(answer, {
          flops: flops(answer),
          eager: {
            atLeast: 1.15,
            or: { wanted: '0.9 of the ceiling', met: answer.share('native', flops(answer)) >= 0.9 },
          },
          compiled: { atLeast: 1 },
          ceiling: { atLeast: 0.85 },
        }),
  );
  return { rows, scores: figures };
}

/** The libraries for pages take seconds for the larger one. */
const cases = (quick) =>
  [
    { tokens: 2048, dim: 512, hidden: 1376, only: ['native', 'wasm', 'single', 'pytorch', 'compiled'] },
    { tokens: 512, dim: 512, hidden: 1376 },
  ]
    .map((size) => (quick ? { ...size, tokens: 64, dim: 64, hidden: 96 } : size))
    .map((size) => ({
      name: `SwiGLU step, d ${size.dim}, h ${size.hidden}, ${size.tokens} tokens`,
      ...{ ...size, timing: { repetitions: 3, minimum: 150 } },
    }));

main(import.meta.url, {
  name: 'feed-forward',
  title: 'SwiGLU feed-forward block, forward and backward: gradients by the input and all weights',
  rounds: 9,
  ours: ['native', 'wasm', 'single'],
  ceiling: 'product',
  cases,
  contenders,
  truth: async () => expected,
  report,
});
