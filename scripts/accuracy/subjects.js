/** What is swept: every primitive and every catalogue formula of single elements, its value and its derivatives. */
import { catalogue } from '../../dist/activations/catalogue.js';
import { formulaKernel, isElementwise, learnedValues } from '../../dist/activations/evaluate.js';
import { gradient } from '../../dist/scalar/differentiate.js';
import { apply, constant, variable } from '../../dist/scalar/expression.js';
import { extend } from '../../dist/scalar/lower.js';
import { float32Error, float32Tolerance } from '../../dist/scalar/precision.js';
import { arity, primitives } from '../../dist/scalar/primitives.js';

/**
 * @typedef {object} Subject one kernel as the library runs it: the value alone, or the derivatives alone
 * @property {string} name
 * @property {'primitive' | 'activation' | 'gate'} kind
 * @property {'value' | 'derivative'} part
 * @property {readonly string[]} inputs
 * @property {readonly string[]} scalars learned parameters
 * @property {readonly number[]} values theirs
 * @property {readonly object[]} outputs expressions
 * @property {'float32' | 'float64'} lanes what the wasm device computes it in
 */

/** The bits of a float64, used inside of expansions alone: not functions of a float32. */
const internal = ['scale', 'scale32', 'exponent', 'mantissa', 'select', 'carryNan'];

/** Second operands of primitives that take two, where arithmetic of one rounding is left out. */
const seconds = { pow: [-1, 0.5, 1 / 3, 1.5, 2, 3], rootSum: [1, 4] };

function primitiveFormulas() {
  const x = variable('x');
  return Object.keys(primitives).flatMap((name) => {
    if (internal.includes(name)) return [];
    if (arity(name) === 1) return [{ name, expression: apply(name, x) }];
    return (seconds[name] ?? []).map((second) => ({
      name: `${name}(x, ${Number(second.toPrecision(3))})`,
      expression: apply(name, x, constant(second)),
    }));
  });
}

const lanesOf = (outputs) => (float32Error(outputs) <= float32Tolerance ? 'float32' : 'float64');

/** @returns {Subject[]} */
export function subjects() {
  const fromPrimitives = primitiveFormulas().flatMap(({ name, expression }) => {
    const derivatives = gradient([{ output: expression, cotangent: 1 }], ['x']);
    return Object.entries({ value: [expression], derivative: derivatives }).map(([part, raw]) => {
      const outputs = raw.map((output) => extend(output, ['x']));
      const common = { inputs: ['x'], scalars: [], values: [] };
      return { name, kind: 'primitive', part, ...common, outputs, lanes: lanesOf(outputs) };
    });
  });
  const elementwise = catalogue().filter(isElementwise);
  const fromCatalogue = elementwise.flatMap((formula) =>
    ['value', 'derivative'].map((part) => {
      const { inputs, scalars, outputs } = formulaKernel(formula, part === 'value' ? 'value' : 'derivatives');
      const { name, kind } = formula;
      return { name, kind, part, inputs, scalars, values: learnedValues(formula), outputs, lanes: lanesOf(outputs) };
    }),
  );
  return [...fromPrimitives, ...fromCatalogue];
}
