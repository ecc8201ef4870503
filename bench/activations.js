/** What do activations and their gradients cost? Every function that a peer also has. */
import { openJax, openTensorflow, ours, pytorch } from './lib/contenders.js';
import { functionNames, jaxFunctions, tensorflowFunctions } from './lib/functions.js';
import { median, noise } from './lib/measure.js';
import { main } from './lib/question.js';
import { score, target } from './lib/score.js';

const rowLength = 1024;
const checked = 4096;
const inputs = ({ elements }) => [noise(elements, 4, 1), noise(elements, 1, 2)];
const shapeOf = ({ elements }) => [elements / rowLength, rowLength];

/** By tensors, as a user's model does it. */
const sluice = async ({ device, tensors }) => {
  const { find } = await import('../dist/activations/catalogue.js');
  return async (item) => {
    if (item.mode === 'dx') return undefined;
    const formula = find(item.function);
    const [x, dy] = inputs(item).map((values) => tensors.tensor(device, values, shapeOf(item)).keep());
    x.requiresGrad = true;
    const value = () =>
      formula.kind === 'row'
        ? x[item.function]()
        : tensors.mapTensors([formula.expression], { x }, {}, { extended: true })[0];
    const withGradient = item.mode === 'y and dx';
    const pass = () => {
      if (!withGradient) return [tensors.noGrad(value)];
      x.zeroGrad();
      const y = value();
      y.backward(dy);
      return [y, x.grad];
    };
    const run = () =>
      tensors.scope(device, () => {
        pass();
        return device.synchronize();
      });
    const check = () =>
      tensors.scope(device, async () => {
        const parts = [];
        for (const tensor of pass()) parts.push(...(await tensor.toArray()).slice(0, checked));
        return parts;
      });
    return { run, check, dispose: () => [x, dy].map((tensor) => tensor.dispose()) };
  };
};

/** The device's kernels alone, which write to what is there: the value, or the gradient from the input. */
const kernels = async ({ device }) => {
  const { copyKernel, formulaPasses } = await import('../dist/experiments/formula-speed.js');
  const { newView } = await import('../dist/experiments/evaluate-formula.js');
  const { find } = await import('../dist/activations/catalogue.js');
  return async (item) => {
    if (item.mode === 'y and dx') return undefined;
    const [x, dy] = inputs(item).map((values) => newView(device, [item.elements], values));
    const output = newView(device, [item.elements]);
    const copy = { value: () => device.map(copyKernel, [x], [], [output]) };
    const passes = item.function === 'copy' ? copy : formulaPasses(device, find(item.function), [x, output, dy]);
    const pass = item.mode === 'y' ? passes.value : passes.gradient;
    const run = () => {
      pass();
      return device.synchronize();
    };
    const check = async () => {
      await run();
      return (await device.read(output)).slice(0, checked);
    };
    return { run, check, dispose: () => [x, dy, output].map(({ buffer }) => device.free(buffer)) };
  };
};

async function tensorflow() {
  const { tf, description } = await openTensorflow();
  const functions = tensorflowFunctions(tf);
  const prepare = async (item) => {
    const f = functions[item.function];
    if (f === undefined || item.mode === 'dx') return undefined;
    const [x, dy] = inputs(item).map((values) => tf.tensor2d(values, shapeOf(item)));
    const both = tf.valueAndGrad(f);
    const results = () => {
      if (item.mode === 'y') return [tf.tidy(() => f(x))];
      const { value, grad } = tf.tidy(() => both(x, dy));
      return [value, grad];
    };
    const check = async () => {
      const made = results();
      const values = made.flatMap((tensor) => [...tensor.dataSync().slice(0, checked)]);
      tf.dispose(made);
      return values;
    };
    return { run: () => tf.dispose(results()), check, dispose: () => tf.dispose([x, dy]) };
  };
  return { description, prepare };
}

async function jaxjs() {
  const { jax, description } = await openJax();
  const { numpy: np, jit, vjp, blockUntilReady } = jax;
  const functions = jaxFunctions(jax);
  const prepare = async (item) => {
    const f = functions[item.function];
    if (f === undefined || item.mode === 'dx') return undefined;
    const [x, dy] = inputs(item).map((values) => np.array(values).reshape(shapeOf(item)));
    const value = jit((x) => f(x));
    const both = jit((x, dy) => {
      const [y, pull] = vjp(f, [x]);
      const [dx] = pull(dy);
      pull.dispose();
      return [y, dx];
    });
    const results = () => (item.mode === 'y' ? [value(x.ref)] : both(x.ref, dy.ref));
    const check = async () => {
      const made = [];
      for (const array of results()) made.push(...(await array.data()).slice(0, checked));
      return made;
    };
    const run = async () => {
      for (const array of await blockUntilReady(results())) array.dispose();
    };
    return { run, check, dispose: () => [x, dy].map((array) => array.dispose()) };
  };
  return { description, prepare };
}

/** The truth: the formula in float64, interpreted; it is tested against values of 25 digits. */
async function truth() {
  const { find } = await import('../dist/activations/catalogue.js');
  const { formulaKernel } = await import('../dist/activations/evaluate.js');
  const { interpreter } = await import('../dist/scalar/interpret.js');
  return (item) => {
    const [x, dy] = inputs({ elements: checked }).map((values) => values.slice(0, checked));
    if (item.function === 'copy') return x;
    const formula = find(item.function);
    const [values, gradients] = formula.kind === 'row' ? rows(formula.name, x, dy) : [[], []];
    if (formula.kind !== 'row') {
      const evaluate = interpreter(formulaKernel(formula).outputs, formula.inputs);
      x.forEach((at, i) => {
        const [y, slope] = evaluate([at]);
        values.push(y);
        gradients.push(slope * dy[i]);
      });
    }
    return [...(item.mode === 'dx' ? [] : values), ...(item.mode === 'y' ? [] : gradients)];
  };
}

function rows(name, x, dy) {
  const [values, gradients] = [[], []];
  for (let start = 0; start < x.length; start += rowLength) {
    const [row, cotangent] = [x, dy].map((all) => [...all.slice(start, start + rowLength)]);
    const sum = row.reduce((total, at) => total + Math.exp(at), 0);
    const weights = row.map((at) => Math.exp(at) / sum);
    const total = cotangent.reduce((all, d, i) => all + (name === 'softmax' ? d * weights[i] : d), 0);
    values.push(...(name === 'softmax' ? weights : row.map((at) => at - Math.log(sum))));
    gradients.push(
      ...cotangent.map((d, i) => (name === 'softmax' ? weights[i] * (d - total) : d - weights[i] * total)),
    );
  }
  return [values, gradients];
}

/** Bytes that a kernel has to move for an element, at the least. */
const bytes = { y: 8, dx: 12 };

/** The share of the best copy's bandwidth in this run. */
function copyShare(answer, copies, contender) {
  const rate = (of, name, size) => (size * of.item.elements) / of.milliseconds(name);
  const best = Math.max(...Object.keys(copies.times).map((name) => rate(copies, name, bytes.y)));
  return answer.times[contender] === undefined ? undefined : rate(answer, contender, bytes[answer.item.mode]) / best;
}

/** Special functions that the value and the gradient of each function need. */
async function specialFunctions() {
  const { catalogue } = await import('../dist/activations/catalogue.js');
  const { costsOf } = await import('../dist/activations/properties.js');
  return new Map(catalogue().map((formula) => [formula.name, costsOf(formula)]));
}

async function report(answers) {
  const specials = await specialFunctions();
  const copies = answers.find(({ item }) => item.function === 'copy');
  const asked = answers.filter((answer) => answer !== copies);
  const rate = (answer, name) => {
    const milliseconds = answer.milliseconds(name);
    return milliseconds === undefined ? undefined : (milliseconds * 1e6) / answer.item.elements;
  };
  const shares = copies === undefined ? new Map() : new Map(asked.map((a) => [a, copyShare(a, copies, 'kernels')]));
  const table = answers.map((answer) => ({
    function: answer.name,
    ...Object.fromEntries(Object.keys(contenders).map((name) => [`${name} ns`, rate(answer, name)])),
    'native x pytorch': answer.ratio('native', 'pytorch'),
    'kernels x out': answer.ratio('kernels', 'out'),
    'kernels of copy': shares.get(answer),
    ...Object.fromEntries(Object.keys(contenders).map((name) => [`${name} ULP`, answer.ulps[name]])),
  }));
  const scores = [
    ...peerScores(asked),
    ...shareScores(asked, shares, specials),
    ...['y and dx', 'y'].flatMap((mode) => browserScore(asked, mode)),
  ];
  const wrong = answers.flatMap(({ name, wrong }) =>
    Object.entries(wrong).map(([peer, by]) => ({ function: name, peer, 'off by': by })),
  );
  return { rows: table, scores, wrong };
}

/** Beside PyTorch: the median, and the function where we are worst. */
function peerScores(asked) {
  return ['native', 'wasm', 'kernels'].flatMap((device) => {
    const peer = device === 'kernels' ? 'out' : 'pytorch';
    const ratios = asked
      .map((answer) => ({ name: answer.name, value: answer.ratio(device, peer) }))
      .filter(({ value }) => value !== undefined)
      .sort((a, b) => a.value - b.value);
    if (ratios.length === 0) return [];
    const of = device === 'kernels' ? 'x PyTorch, outputs preallocated' : 'x PyTorch eager';
    const bounds = (atLeast) => (device === 'native' ? { atLeast } : {});
    const row = 'activations, value and gradient';
    return [
      ...score({ row: `${row}: median`, device, of, value: median(ratios.map(({ value }) => value)), ...bounds(2) }),
      ...score({ row: `${row}: the worst, ${ratios[0].name}`, device, of, value: ratios[0].value, ...bounds(0.95) }),
    ];
  });
}

/** Beside a copy: kernels of one special function or none. */
function shareScores(asked, shares, specials) {
  const cheap = asked
    .filter(({ item }) => {
      const cost = specials.get(item.function);
      return (item.mode === 'y' ? cost.value : cost.gradient).special <= 1;
    })
    .map((answer) => ({ name: answer.name, value: shares.get(answer) }))
    .filter(({ value }) => value !== undefined)
    .sort((a, b) => a.value - b.value);
  if (cheap.length === 0) return [];
  const [row, of] = ['kernels with one special function or none', 'of copy bandwidth'];
  return [
    ...score({ row: `${row}: median`, device: 'native', of, value: median(cheap.map(({ value }) => value)) }),
    ...score({ row: `${row}: the worst, ${cheap[0].name}`, device: 'native', of, value: cheap[0].value, atLeast: 0.8 }),
  ];
}

/** Beside the better of the libraries for pages. */
function browserScore(asked, mode) {
  const ratios = asked
    .filter(({ item }) => item.mode === mode)
    .map((answer) => Math.min(...['tensorflow', 'jax'].map((peer) => answer.ratio('wasm', peer) ?? Infinity)))
    .filter(Number.isFinite);
  if (ratios.length === 0) return [];
  const row = `activations, ${mode === 'y' ? 'value alone' : 'value and gradient'}: median`;
  const bounds = mode === 'y' ? {} : { atLeast: target(3) };
  return score({
    row,
    device: 'wasm',
    of: 'x the better of TensorFlow.js and jax-js',
    value: median(ratios),
    ...bounds,
  });
}

const contenders = {
  ...ours(sluice),
  ...ours(kernels, { kernels: ['native'], wasmKernels: ['wasm'] }),
  ...pytorch('activations', { pytorch: 'eager', out: 'out' }),
  ...{ tensorflow, jax: jaxjs },
};

main(import.meta.url, {
  name: 'activations',
  title: 'Activations: nanoseconds per element; ULP over 4,096 inputs between -4 and 4',
  rounds: 5,
  ours: ['native', 'wasm', 'single', 'kernels', 'wasmKernels'],
  cases: (quick) =>
    ['copy', ...functionNames].flatMap((name) =>
      (name === 'copy' ? ['y'] : ['y', 'dx', 'y and dx']).map((mode) => ({
        name: `${name}${mode === 'y' ? '' : `, ${mode}`}`,
        ...{ function: name, mode, elements: quick ? 2 ** 16 : 2 ** 22 },
        timing: { repetitions: 3, minimum: 60 },
        ...(name === 'copy' ? { only: ['kernels', 'out'] } : {}),
      })),
    ),
  contenders,
  truth,
  report,
});
