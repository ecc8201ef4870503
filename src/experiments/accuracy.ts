import { formulaKernel, learnedValues } from '../activations/evaluate.js';
import type { Activation, Gate } from '../activations/kinds.js';
import { randomKey, randomUniform, randomWord } from '../base/random.js';
import type { Device } from '../devices/device.js';
import { interpreter } from '../scalar/interpret.js';
import { evaluateFormula } from './evaluate-formula.js';

/** The largest error of a device's results, in ULP of the exact result; below 2^-126 a unit is 2^-128. */
export interface WorstErrors {
  readonly value: WorstError;
  /** Over the derivatives by every input. */
  readonly derivative: WorstError;
}

export interface WorstError {
  readonly ulp: number;
  /** The inputs where it is. */
  readonly at: readonly number[];
}

/** Inputs for each sign and exponent of float32, subnormal ones included. */
export const perExponent = 32;
/** Inputs uniform in [-16, 16), where activations bend. */
export const inTheMiddle = 8192;

/** Finite float32 numbers that leave no size out: `perExponent` of each sign and exponent, then the middle. */
export function stratifiedSample(): number[] {
  const bits = new Uint32Array(1);
  const floats = new Float32Array(bits.buffer);
  const key = randomKey(0, 'evaluation');
  const sample: number[] = [];
  for (let high = 0; high < 512; high++) {
    if ((high & 0xff) === 0xff) continue;
    for (let i = 0; i < perExponent; i++) {
      bits[0] = (high << 23) | (randomWord(key, high * perExponent + i) >>> 9);
      sample.push(floats[0] ?? 0);
    }
  }
  const middle = randomKey(0, 'evaluation', 1);
  for (let i = 0; i < inTheMiddle; i++) sample.push(Math.fround(32 * randomUniform(middle, i) - 16));
  return sample;
}

/** The sample in another order, the same each time: the second input of a gate. */
function shuffled(sample: readonly number[]): number[] {
  const key = randomKey(0, 'evaluation', 2);
  return sample
    .map((value, i) => ({ value, rank: randomWord(key, i) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ value }) => value);
}

/**
 * Compares a device with the same formula in float64, interpreted, rounded once at the end. Where the exact result is
 * beyond float32, infinity is right and anything else is infinitely wrong.
 */
export async function worstErrors(
  device: Device,
  formula: Activation | Gate,
  sample: readonly number[] = stratifiedSample(),
): Promise<WorstErrors> {
  const inputs = formula.kind === 'gate' ? [sample, shuffled(sample)] : [sample];
  const { y, derivatives } = await evaluateFormula(device, formula, inputs);
  const kernel = formulaKernel(formula);
  const exact = interpreter(kernel.outputs, [...formula.inputs, ...formula.learned]);
  const learned = learnedValues(formula);
  const worst = { value: { ulp: 0, at: [] as number[] }, derivative: { ulp: 0, at: [] as number[] } };
  for (const i of sample.keys()) {
    const at = inputs.map((values) => values[i] ?? Number.NaN);
    const wanted = exact([...at, ...learned]);
    [y, ...derivatives].forEach((values, output) => {
      const ulp = errorInUlp(values[i] ?? Number.NaN, wanted[output] ?? Number.NaN);
      const what = output === 0 ? 'value' : 'derivative';
      if (ulp > worst[what].ulp) worst[what] = { ulp, at };
    });
  }
  return worst;
}

/** The distance between neighbouring float32 numbers at the size of x, at least 2^-128. */
function unit(x: number): number {
  const size = Math.abs(x);
  return size < 2 ** -126 ? 2 ** -128 : Math.max(2 ** -128, 2 ** (Math.floor(Math.log2(size)) - 23));
}

function errorInUlp(actual: number, exact: number): number {
  const rounded = Math.fround(exact);
  if (!Number.isFinite(rounded)) return Object.is(actual, rounded) ? 0 : Number.POSITIVE_INFINITY;
  return Number.isFinite(actual) ? Math.abs(actual - exact) / unit(exact) : Number.POSITIVE_INFINITY;
}
