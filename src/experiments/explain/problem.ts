import { find, resolveActivation } from '../../activations/catalogue.js';
import type { Activation } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import { checkChoice } from '../../base/options.js';
import { randomKey, randomUniform } from '../../base/random.js';
import type { FeedForwardProblem, LayerWeights } from './feed-forward.js';
import { takesLogits } from './formulas.js';
import type { Matrix, Vector } from './linear-algebra.js';
import { type ExplainedLoss, explainedLosses } from './loss-names.js';
import type { RecurrentProblem, RecurrentWeights } from './recurrent.js';

/** What a user may say of a network to be explained; everything has a default. */
export interface ProblemOptions {
  readonly recurrent: boolean;
  readonly widths?: Vector | undefined;
  readonly activation?: string | undefined;
  readonly outputActivation?: string | undefined;
  readonly loss?: string | undefined;
  readonly learningRate: number;
  /** A row for each time step; one row without time. */
  readonly input?: Matrix | undefined;
  readonly target?: Matrix | undefined;
  /** As `--json` writes them. */
  readonly weights?: unknown;
  readonly seed?: number | undefined;
}

/** More numbers than this nobody follows. */
const most = { width: 12, parameters: 250, steps: 24 } as const;

/** The first output of Mazur's "A step by step backpropagation example" (2015): 2 > 2 > 1 sigmoid units. */
const example = {
  widths: [2, 2, 1],
  input: [0.05, 0.1],
  target: [0.01],
  weights: [
    {
      weight: [
        [0.15, 0.2],
        [0.25, 0.3],
      ],
      bias: [0.35, 0.35],
    },
    { weight: [[0.4, 0.45]], bias: [0.6] },
  ],
} as const;

/** To say what came a step before, by two tanh units. */
const echo = {
  widths: [1, 2, 1],
  input: [[1], [0], [0.5]],
  target: [[0], [1], [0]],
  weights: {
    xh: [[0.5], [-0.3]],
    hh: [
      [0.1, 0.4],
      [-0.2, 0.3],
    ],
    h: [0, 0.1],
    ho: [[0.7, -0.5]],
    o: [0],
  },
} as const;

/** @throws SluiceError `argument`, `name`, `expression` or `shape` for what does not fit. */
export function problemOf(options: ProblemOptions): FeedForwardProblem | RecurrentProblem {
  const { recurrent, learningRate, outputActivation } = options;
  const loss = options.loss ?? 'half-squared-error';
  checkChoice('a loss', loss, explainedLosses);
  const activation = resolveActivation(options.activation ?? (recurrent ? 'tanh' : 'sigmoid'));
  const common = { activation, learningRate, loss: loss as ExplainedLoss };
  if (!recurrent) return feedForward(options, common);
  if (outputActivation !== undefined) {
    const rule = 'a recurrent network has outputs W_ho h_t + b_o';
    const remedy = 'Leave --output-activation out.';
    throw new SluiceError('argument', { rule, received: `--output-activation ${outputActivation}`, remedy });
  }
  return recurrentProblem(options, common);
}

interface Common {
  readonly activation: Activation;
  readonly learningRate: number;
  readonly loss: ExplainedLoss;
}

function feedForward(options: ProblemOptions, common: Common): FeedForwardProblem {
  const [input, target] = [only('--input', options.input), only('--target', options.target)];
  const given = options.weights === undefined ? undefined : layersIn(options.weights);
  const widths = options.widths ??
    (given === undefined ? undefined : widthsOf(given)) ?? [
      ...[input?.length ?? example.widths[0], example.widths[1], target?.length ?? example.widths[2]],
    ];
  checkWidths(widths);
  const isExample = options.seed === undefined && sameNumbers(widths, example.widths);
  const draw = drawer(options.seed);
  const usual = isExample ? example.weights : undefined;
  const weights = given ?? usual ?? widths.slice(1).map((units, i) => drawLayer(draw, widths[i] ?? 1, units));
  weights.forEach(({ weight, bias }, i) => {
    checkMatrix(`the weight of layer ${i + 1}`, weight, widths[i + 1] ?? 0, widths[i] ?? 0);
    checkVector(`the bias of layer ${i + 1}`, bias, widths[i + 1] ?? 0);
  });
  if (weights.length !== widths.length - 1) throw notFitting(`${widths.length - 1} layers`, weights.length);
  return {
    kind: 'feed-forward',
    ...common,
    widths,
    outputActivation: outputActivationOf(options, common),
    input: checkVector('--input', input ?? (isExample ? example.input : draw.vector(widths[0] ?? 1)), widths[0] ?? 1),
    target: targetOf(common.loss, target ?? (isExample ? example.target : undefined), widths.at(-1) ?? 1),
    weights,
  };
}

/** That of the hidden layers; logits are left as they are. */
function outputActivationOf({ outputActivation }: ProblemOptions, { activation, loss }: Common): Activation {
  if (!takesLogits(loss)) return outputActivation === undefined ? activation : resolveActivation(outputActivation);
  const identity = find('identity', 'activation');
  if (outputActivation === undefined || resolveActivation(outputActivation) === identity) return identity;
  throw new SluiceError('argument', {
    rule: `${loss} takes logits: the last layer has the activation identity`,
    received: `--output-activation ${outputActivation}`,
    remedy: 'Leave it out: the loss has its sigmoid, or softmax, within.',
  });
}

function recurrentProblem(options: ProblemOptions, common: Common): RecurrentProblem {
  const { input, target } = options;
  const given = options.weights === undefined ? undefined : recurrentIn(options.weights);
  const [inputs = 1, hidden = 2, outputs = 1, ...more] =
    options.widths ??
    (given === undefined ? [input?.[0]?.length ?? 1, 2, target?.[0]?.length ?? 1] : widthsOfRecurrent(given));
  const widths = [inputs, hidden, outputs] as const;
  if (more.length > 0 || (options.widths !== undefined && options.widths.length !== 3)) {
    throw notFitting('the widths of a recurrent network: inputs, hidden units, outputs', options.widths);
  }
  checkWidths(widths);
  const isEcho = options.seed === undefined && sameNumbers(widths, echo.widths);
  const draw = drawer(options.seed);
  const steps = input?.length ?? target?.length ?? echo.input.length;
  const usual = (own: Matrix, width: number): Matrix =>
    isEcho && steps === own.length ? own : Array.from({ length: steps }, () => draw.vector(width));
  const weights = given ?? (isEcho ? echo.weights : undefined) ?? drawRecurrent(draw, widths);
  checkMatrix('W_xh', weights.xh, hidden, inputs);
  checkMatrix('W_hh', weights.hh, hidden, hidden);
  checkVector('b_h', weights.h, hidden);
  checkMatrix('W_ho', weights.ho, outputs, hidden);
  checkVector('b_o', weights.o, outputs);
  if (steps > most.steps) throw tooLarge(`${steps} time steps`);
  const targets = target ?? usual(echo.target, outputs);
  return {
    kind: 'recurrent',
    ...common,
    widths,
    input: checkMatrix('--input', input ?? usual(echo.input, inputs), steps, inputs),
    target: checkMatrix('--target', targets, steps, outputs).map((row) => targetOf(common.loss, row, outputs)),
    weights,
  };
}

/** Of classes the shares of each, of values numbers. */
function targetOf(loss: ExplainedLoss, target: Vector | undefined, outputs: number): Vector {
  const usual = Array.from({ length: outputs }, (_, k) => (k === 0 ? 1 : 0));
  const values = checkVector('--target', target ?? usual, outputs);
  const isShare = values.every((value) => value >= 0 && value <= 1);
  const total = values.reduce((sum, value) => sum + value, 0);
  if (!takesLogits(loss) || (isShare && (loss !== 'cross-entropy' || Math.abs(total - 1) < 1e-9))) return values;
  throw new SluiceError('argument', {
    rule: `targets of ${loss} are probabilities${loss === 'cross-entropy' ? ' that sum to 1' : ''}`,
    received: values,
    remedy:
      loss === 'cross-entropy' ? 'Write for example --target 0,1,0 for the second of three classes.' : 'Use 0 and 1.',
  });
}

function checkWidths(widths: Vector): void {
  const odd = widths.find((width) => !(Number.isInteger(width) && width >= 1 && width <= most.width));
  if (odd !== undefined || widths.length < 2) {
    throw new SluiceError('argument', {
      rule: `--widths are whole numbers from 1 to ${most.width}: inputs, hidden units, outputs`,
      received: widths,
      remedy: 'Write for example --widths 2,2,1.',
    });
  }
  const parameters = widths.slice(1).reduce((sum, width, i) => sum + width * ((widths[i] ?? 0) + 1), 0);
  if (parameters > most.parameters) throw tooLarge(`${parameters} weights and biases`);
}

const tooLarge = (received: string): SluiceError =>
  new SluiceError('argument', {
    rule: `a network that is explained has at most ${most.parameters} weights and biases, and ${most.steps} time steps`,
    received,
    remedy: 'Explain a smaller one; sluice inspect looks into large ones.',
  });

const notFitting = (rule: string, received: unknown): SluiceError =>
  new SluiceError('shape', {
    rule: `a network to be explained has ${rule}`,
    received,
    remedy: 'See: sluice explain --help.',
  });

const sameNumbers = (a: Vector, b: Vector): boolean => a.length === b.length && a.every((value, i) => value === b[i]);

function only(flag: string, rows: Matrix | undefined): Vector | undefined {
  if (rows === undefined || rows.length === 1) return rows?.[0];
  const remedy = 'Add --recurrent, or write one row.';
  throw new SluiceError('argument', { rule: `${flag} has time steps for --recurrent alone`, received: rows, remedy });
}

function checkVector(what: string, values: Vector, width: number): Vector {
  if (values.length === width && values.every(Number.isFinite)) return values;
  const remedy = 'Write as many numbers as the network is wide there; --widths says how wide it is.';
  throw new SluiceError('shape', { rule: `${what} has ${width} finite numbers`, received: values, remedy });
}

function checkMatrix(what: string, values: Matrix, rows: number, columns: number): Matrix {
  if (values.length === rows && values.every((row) => row.length === columns && row.every(Number.isFinite)))
    return values;
  const isFlag = what.startsWith('--');
  const rule = isFlag
    ? `${what} has ${rows} time steps of ${columns}`
    : `${what} is [${rows}, ${columns}]: a row for each unit`;
  const remedy = isFlag
    ? 'Write steps with semicolons between: "1,0;0,1".'
    : 'Transpose it if its rows are its inputs.';
  throw new SluiceError('shape', { rule, received: values, remedy });
}

const isVector = (value: unknown): value is Vector =>
  Array.isArray(value) && value.every((item) => typeof item === 'number');
const isMatrix = (value: unknown): value is Matrix => Array.isArray(value) && value.every(isVector);
/** A bare value, or the `value` of what `--json` wrote. */
const bare = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'value' in value ? value.value : value;
const entry = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null ? bare(Reflect.get(value, key)) : undefined;

function layersIn(weights: unknown): LayerWeights[] {
  const layers = entry(weights, 'layers');
  const read = (Array.isArray(layers) ? layers : []).map((layer: unknown) => {
    const [weight, bias] = [entry(layer, 'weight'), entry(layer, 'bias')];
    if (!isMatrix(weight) || !isVector(bias)) throw notWeights('layers of {"weight": [[...]], "bias": [...]}', layer);
    return { weight, bias };
  });
  if (read.length === 0) throw notWeights('{"layers": [{"weight": [[...]], "bias": [...]}, ...]}', weights);
  return read;
}

function recurrentIn(weights: unknown): RecurrentWeights {
  const parameters = entry(weights, 'parameters') ?? weights;
  const [xh, hh, h, ho, o] = ['xh', 'hh', 'h', 'ho', 'o'].map((key) => entry(parameters, key));
  if (isMatrix(xh) && isMatrix(hh) && isVector(h) && isMatrix(ho) && isVector(o)) return { xh, hh, h, ho, o };
  throw notWeights('{"xh": [[...]], "hh": [[...]], "h": [...], "ho": [[...]], "o": [...]}', weights);
}

const notWeights = (rule: string, received: unknown): SluiceError =>
  new SluiceError('data', {
    rule: `weights are ${rule}`,
    received,
    remedy: 'Write them as sluice explain --json does.',
  });

const widthsOf = (layers: readonly LayerWeights[]): Vector => [
  layers[0]?.weight[0]?.length ?? 0,
  ...layers.map(({ bias }) => bias.length),
];
const widthsOfRecurrent = ({ xh, h, o }: RecurrentWeights): Vector => [xh[0]?.length ?? 0, h.length, o.length];

interface Drawer {
  vector(length: number): Vector;
}

/** Numbers in [-1, 1), to two decimals: they can be copied by hand. */
function drawer(seed = 0): Drawer {
  const key = randomKey(seed, 'initialization');
  let drawn = 0;
  const next = (): number => Math.round(100 * (2 * randomUniform(key, drawn++) - 1)) / 100 + 0; // no -0
  return { vector: (length) => Array.from({ length }, next) };
}

const drawMatrix = (draw: Drawer, rows: number, columns: number): Matrix =>
  Array.from({ length: rows }, () => draw.vector(columns));
const drawLayer = (draw: Drawer, inputs: number, units: number): LayerWeights => ({
  weight: drawMatrix(draw, units, inputs),
  bias: draw.vector(units),
});
const drawRecurrent = (draw: Drawer, [inputs, hidden, outputs]: RecurrentProblem['widths']): RecurrentWeights => ({
  xh: drawMatrix(draw, hidden, inputs),
  hh: drawMatrix(draw, hidden, hidden),
  h: draw.vector(hidden),
  ho: drawMatrix(draw, outputs, hidden),
  o: draw.vector(outputs),
});
