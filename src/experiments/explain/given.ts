/** Numbers that a user gives: read, and held to their shapes. */
import { SluiceError } from '../../base/errors.js';
import type { LayerWeights } from './feed-forward.js';
import type { Matrix, Vector } from './linear-algebra.js';
import type { RecurrentWeights } from './recurrent.js';

/** @throws SluiceError `shape`. */
export function checkVector(what: string, values: Vector, width: number): Vector {
  if (values.length === width && values.every(Number.isFinite)) return values;
  const remedy = 'Write as many numbers as the network is wide there; --widths says how wide it is.';
  throw new SluiceError('shape', { rule: `${what} has ${width} finite numbers`, received: values, remedy });
}

/** @throws SluiceError `shape`. */
export function checkMatrix(what: string, values: Matrix, rows: number, columns: number): Matrix {
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

/** @throws SluiceError `data` for what is no weights of a feed-forward network. */
export function layersIn(weights: unknown): LayerWeights[] {
  const layers = entry(weights, 'layers');
  const read = (Array.isArray(layers) ? layers : []).map((layer: unknown) => {
    const [weight, bias] = [entry(layer, 'weight'), entry(layer, 'bias')];
    if (!isMatrix(weight) || !isVector(bias)) throw notWeights('layers of {"weight": [[...]], "bias": [...]}', layer);
    return { weight, bias };
  });
  if (read.length === 0) throw notWeights('{"layers": [{"weight": [[...]], "bias": [...]}, ...]}', weights);
  return read;
}

/** @throws SluiceError `data` for what is no weights of an RNN. */
export function recurrentIn(weights: unknown): RecurrentWeights {
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
