/** What do activations and their gradients cost? Every function that a peer also has. */
import { openJax, openSluice, openTensorflow } from './lib/contenders.js';
import { functionNames, jaxFunctions, tensorflowFunctions } from './lib/functions.js';
import { median, noise } from './lib/measure.js';
import { main, target } from './lib/question.js';

const rowLength = 1024;
const checked = 4096;
const inputs = ({ elements }) => [noise(elements, 4, 1), noise(elements, 1, 2)];
const shapeOf = ({ elements }) => [elements / rowLength, rowLength];

async function sluice(threads) {
  const { device, tensors, description } = await openSluice(threads);
  const { find } = await import('../dist/activations/catalogue.js');
  const prepare = async (item) => {
    const formula = find(item.function);
    const [x, dy] = inputs(item).map((values) => tensors.tensor(device, values, shapeOf(item)).keep());
    x.requiresGrad = true;
    const value = () =>
      formula.kind === 'row'
        ? x[item.function]()
        : tensors.mapTensors([formula.expression], { x }, {}, { extended: true })[0];
    const run = () =>
      tensors.scope(device, () => {
        if (item.gradient) {
          x.zeroGrad();
          value().backward(dy);
        } else tensors.noGrad(value);
        return device.synchronize();
      });
    const check = () =>
      tensors.scope(device, async () => {
        const y = value();
        x.zeroGrad();
        if (item.gradient) y.backward(dy);
        const [values, gradients] = [await y.toArray(), item.gradient ? await x.grad.toArray() : []];
        return [...values.slice(0, checked), ...gradients.slice(0, checked)];
      });
    return { run, check, dispose: () => [x, dy].map((tensor) => tensor.dispose()) };
  };
  return { description, prepare };
}

async function tensorflow() {
  const { tf, description } = await openTensorflow();
  const functions = tensorflowFunctions(tf);
  const prepare = async (item) => {
    const f = functions[item.function];
    if (f === undefined) return undefined;
    const [x, dy] = inputs(item).map((values) => tf.tensor2d(values, shapeOf(item)));
    const both = tf.valueAndGrad(f);
    const results = () => {
      if (!item.gradient) return [tf.tidy(() => f(x))];
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
    if (f === undefined) return undefined;
    const [x, dy] = inputs(item).map((values) => np.array(values).reshape(shapeOf(item)));
    const value = jit((x) => f(x));
    const both = jit((x, dy) => {
      const [y, pull] = vjp(f, [x]);
      const [dx] = pull(dy);
      pull.dispose();
      return [y, dx];
    });
    const results = () => (item.gradient ? both(x.ref, dy.ref) : [value(x.ref)]);
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
    return item.gradient ? [...values, ...gradients] : values;
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

function report(answers) {
  const better = ({ ratios }) => Math.min(...Object.values(ratios));
  const bestOf = ({ bestRatios }) => Math.min(...Object.values(bestRatios));
  const rate = ({ item }, milliseconds) =>
    milliseconds === undefined ? undefined : (milliseconds * 1e6) / item.elements;
  const rows = answers.map((answer) => ({
    function: answer.name,
    'sluice ns': rate(answer, answer.milliseconds.sluice),
    'sluice, 1 thread': rate(answer, answer.milliseconds.single),
    'tensorflow ns': rate(answer, answer.milliseconds.tensorflow),
    'jax ns': rate(answer, answer.milliseconds.jax),
    'x better peer': better(answer),
    'sluice ULP': answer.ulps.sluice,
    'tensorflow ULP': answer.ulps.tensorflow,
    'jax ULP': answer.ulps.jax,
  }));
  const findings = [true, false].map((gradient) => {
    const asked = answers.filter(({ item }) => item.gradient === gradient);
    const [value, best] = [better, bestOf].map((ratio) => median(asked.map(ratio).filter(Number.isFinite)));
    const what = `${gradient ? 'Value and gradient' : 'Value alone'}: times as fast as the better peer, median of ${asked.length} functions`;
    const goal = gradient ? { wanted: `${target(3)} or more`, met: value >= target(3) } : {};
    return { what, value, best, ...goal };
  });
  const failed = answers.flatMap(({ name, wrong }) =>
    Object.entries(wrong).map(([peer, by]) => `${peer} ${name} by ${by}`),
  );
  if (failed.length > 0) findings.push({ what: 'Wrong results, left out', value: failed.join('; ') });
  return { rows, findings };
}

main(import.meta.url, {
  name: 'activations',
  title: 'Activations, value and gradient: nanoseconds per element; ULP over 4,096 inputs between -4 and 4',
  rounds: 5,
  cases: (quick) =>
    functionNames.flatMap((name) =>
      [true, false].map((gradient) => ({
        name: `${name}${gradient ? ', y and dx' : ''}`,
        function: name,
        gradient,
        elements: quick ? 2 ** 16 : 2 ** 22,
        timing: { repetitions: 3, minimum: 60 },
      })),
    ),
  contenders: { sluice: () => sluice(2), single: () => sluice(1), tensorflow, jax: jaxjs },
  truth,
  report,
});
