import { SluiceError } from '../../base/errors.js';
import { extent } from '../../base/extent.js';
import { plural } from '../../base/plural.js';
import type { Examples } from '../../data/examples.js';
import { type Entanglement, type Separation, separability } from '../../data/separability.js';

/** How far a perceptron came that never made a pass without a mistake. */
export interface Failure {
  /** Its two classes. */
  readonly words: readonly string[];
  readonly passes: number;
  /** The share of the held-out examples that are wrong. */
  readonly loss: number;
  /** An example in the units of the data; the trained ones are of mean 0 and deviation 1. */
  readonly inUnits: (example: ArrayLike<number>) => ArrayLike<number>;
  /** Why no gradient helps, where that is so. */
  readonly slope: string | undefined;
}

/** The linear program is for data that people look at; beyond this it takes minutes. */
const mostNumbers = 4e6;

/** Why Rosenblatt's rule did not come to an end: no hyperplane parts the classes, or it needs longer to find one. */
export function whyNotLearned(training: Examples, failure: Failure): SluiceError {
  const { count, width, inputs, targets } = training;
  if (count * width > mostNumbers) return unfinished(failure, '');
  const points = Array.from({ length: count }, (_, i) => inputs.subarray(i * width, (i + 1) * width));
  const isSecond = Array.from(targets, (target) => target === 1);
  const found = separability(points, isSecond);
  if (!found.separable) return entangled(points, found, failure);
  const bound = mistakeBound(points, found).toPrecision(2);
  return unfinished(
    failure,
    ` A ${surfaceOf(width)} parts the classes, and the rule finds one after ${bound} mistakes at most.`,
  );
}

const surfaceOf = (width: number): string => ['point', 'line', 'plane'][width - 1] ?? 'hyperplane';

const outcome = ({ passes, loss }: Failure): string =>
  `After ${passes} pass${passes === 1 ? '' : 'es'} ${(100 * loss).toFixed(1)} % of the held-out examples are wrong.`;

const unfinished = (failure: Failure, why: string): SluiceError =>
  new SluiceError('data', {
    rule: 'a perceptron has learned when a pass makes no mistake',
    received: failure.passes === 1 ? 'mistakes in its one pass' : `mistakes in each of its ${failure.passes} passes`,
    remedy: `${outcome(failure)}${why} Go on with more --steps.`,
  });

function entangled(points: readonly Float32Array[], { common, mixed }: Entanglement, failure: Failure): SluiceError {
  const width = points[0]?.length ?? 0;
  const [first = '', second = ''] = failure.words;
  const place = (values: ArrayLike<number>): string =>
    `(${Array.from(failure.inUnits(values), (x) => Number(x.toPrecision(3))).join(', ')})`;
  const named = (indices: readonly number[]): string =>
    width <= 3 ? indices.map((i) => place(points[i] ?? [])).join(', ') : plural(indices.length, 'example');
  const mix = `that point is a mix of ${named(mixed[0])} of ${first}, and of ${named(mixed[1])} of ${second}`;
  const why = failure.slope === undefined ? '' : `, nor does a gradient: ${failure.slope}`;
  return new SluiceError('data', {
    rule: `a perceptron learns classes that a ${surfaceOf(width)} parts`,
    received: `${first} and ${second}, whose convex hulls meet${width <= 3 ? ` at ${place(common)}` : ''}`,
    remedy: `They are not linearly separable: ${mix}. ${outcome(failure)} More steps do not help${why}. Put hidden units before it: --model mlp.`,
  });
}

/** The most mistakes that the rule can make, (radius / margin)^2, by this hyperplane. Source: Novikoff 1962. */
function mistakeBound(points: readonly Float32Array[], { weight, bias, margin }: Separation): number {
  // The bias is the weight of an input that is always 1.
  const [, radius] = extent(points.map((point) => Math.hypot(1, ...point)));
  return ((radius * Math.hypot(bias, ...weight)) / margin) ** 2;
}
