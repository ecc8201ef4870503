import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import { noGrad } from './autograd.js';
import { tensor } from './create.js';
import { scope } from './memory.js';
import type { Tensor } from './tensor.js';

export interface GradcheckOptions {
  /** The half step of the central differences; 1e-6 by default. */
  readonly epsilon?: number;
  /** 1e-5 by default. */
  readonly absoluteTolerance?: number;
  /** Relative to the difference quotient; 1e-3 by default. */
  readonly relativeTolerance?: number;
}

const gradcheckDefaults = {
  epsilon: 1e-6,
  absoluteTolerance: 1e-5,
  relativeTolerance: 1e-3,
} satisfies OptionTable<GradcheckOptions>;

export interface GradcheckReport {
  /** Derivatives compared: elements of the inputs times elements of the result. */
  readonly compared: number;
  /** The comparison that came nearest to its tolerance. */
  readonly worst: GradientPair | undefined;
}

/** One derivative both ways: of the result's element `output` by element `element` of input number `input`. */
export interface GradientPair {
  readonly input: number;
  readonly element: number;
  readonly output: number;
  readonly fromBackward: number;
  readonly fromDifferences: number;
  /** |difference| over the tolerance: above 1 it fails. */
  readonly excess: number;
}

/**
 * Compares the gradients of a function with central differences, element by element, as torch.autograd.gradcheck does.
 * Inputs with `requiresGrad` are checked; use a `reference` device, whose float64 the tolerances are made for, and
 * values away from kinks.
 * @throws SluiceError `argument` with the worst element when one is out of tolerance.
 */
export async function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<GradcheckReport> {
  const { epsilon, absoluteTolerance, relativeTolerance } = completeOptions('gradcheck', options, gradcheckDefaults);
  const [first] = inputs;
  if (first?.device.name !== 'reference' || inputs.every(({ requiresGrad }) => !requiresGrad)) {
    throw new SluiceError('argument', {
      rule: 'gradcheck takes tensors of a reference device, one of them at least with requiresGrad',
      received: inputs.map((input) => `${input.device.name} ${input.requiresGrad}`),
      remedy: 'Use openReference(): central differences need float64.',
    });
  }
  const checked = inputs.flatMap((input, position) => (input.requiresGrad ? [{ input, position }] : []));
  let worst: GradientPair | undefined;
  let compared = 0;
  await scope(first.device, async () => {
    const exact = await jacobian(fn, inputs, checked);
    for (const [i, { input, position }] of checked.entries()) {
      for (let element = 0; element < input.size; element++) {
        const quotients = await differences(fn, inputs, input, element, epsilon);
        for (const [output, fromDifferences] of quotients.entries()) {
          const fromBackward = exact[output]?.[i]?.[element] ?? 0;
          const tolerance = absoluteTolerance + relativeTolerance * Math.abs(fromDifferences);
          const distance = Math.abs(fromBackward - fromDifferences) / tolerance;
          const excess = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
          compared++;
          if (worst === undefined || excess > worst.excess)
            worst = { input: position, element, output, fromBackward, fromDifferences, excess };
        }
      }
    }
  });
  if (worst !== undefined && worst.excess > 1) throw disagreement(worst);
  return { compared, worst };
}

function disagreement(worst: GradientPair): SluiceError {
  const { input, element, output, fromBackward, fromDifferences } = worst;
  return new SluiceError('argument', {
    rule: `backward() agrees with central differences: element ${output} of the result by element ${element} of input ${input}`,
    received: `${fromBackward} and ${fromDifferences}`,
    remedy: 'Are the inputs at a kink, or is a part of the function outside the graph?',
  });
}

type Checked = readonly { readonly input: Tensor }[];

/** By output element, then checked input: the derivatives by the input's elements. */
async function jacobian(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  checked: Checked,
): Promise<(ArrayLike<number> | undefined)[][]> {
  const result = fn(...inputs);
  if (!result.requiresGrad) return Array.from({ length: result.size }, () => []);
  const rows: (ArrayLike<number> | undefined)[][] = [];
  for (let output = 0; output < result.size; output++) {
    for (const { input } of checked) input.zeroGrad();
    const oneHot = Array.from({ length: result.size }, (_, i) => (i === output ? 1 : 0));
    result.backward(tensor(result.device, oneHot, result.shape), { retainGraph: true });
    rows.push(await Promise.all(checked.map(({ input }) => input.grad?.toArray())));
  }
  for (const { input } of checked) input.zeroGrad();
  return rows;
}

/** The difference quotients of all outputs by one element of an input, whose value is put back. */
async function differences(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  input: Tensor,
  element: number,
  epsilon: number,
): Promise<number[]> {
  const values = Array.from(await input.toArray());
  const before = values[element] ?? 0;
  const at = async (value: number): Promise<ArrayLike<number>> => {
    values[element] = value;
    input.write(values);
    return noGrad(() => fn(...inputs)).toArray();
  };
  const above = await at(before + epsilon);
  const below = await at(before - epsilon);
  input.write(values.with(element, before));
  return Array.from(above, (value, i) => (value - (below[i] ?? Number.NaN)) / (2 * epsilon));
}
