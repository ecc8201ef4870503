import { describe, expect, test } from 'vitest';
import { type Formula, find } from '../../src/activations/index.js';
import { gradient } from '../../src/scalar/differentiate.js';
import type { Expression } from '../../src/scalar/expression.js';
import { interpreter } from '../../src/scalar/interpret.js';
import { expand, extend } from '../../src/scalar/lower.js';
import { golden, inputsOfEntry, numbers } from '../support/golden.js';
import { error32 } from '../support/ulp.js';

/** The value and the derivatives by every input and learned parameter, as kernels evaluate them. */
function outputsOf(formula: Formula): { outputs: Expression[]; variables: string[] } {
  const variables = [...formula.inputs, ...formula.learned];
  const { expression } = formula;
  const partials = gradient([{ output: expression, cotangent: 1 }], variables);
  return { outputs: [expression, ...partials].map((output) => extend(output, formula.inputs)), variables };
}

const lowerings: Readonly<Record<string, (expression: Expression) => Expression>> = {
  interpreter: (expression) => expression,
  'lane expansions': expand,
};

interface Miss {
  readonly what: string;
  readonly at: readonly number[];
  readonly actual: number;
  readonly exact: number;
  readonly error: number;
}

function misses(
  formula: Formula,
  lowering: (expression: Expression) => Expression,
  points: readonly (readonly number[])[],
  exact: Readonly<Record<string, readonly number[]>>,
): Miss[] {
  const { outputs, variables } = outputsOf(formula);
  const evaluate = interpreter(outputs.map(lowering), variables);
  const learned = formula.learned.map((name) => formula.parameters[name]?.value ?? 0);
  return points.flatMap((at, i) => {
    const results = evaluate([...at, ...learned]).map(Math.fround);
    return Object.entries(exact).flatMap(([what, values], column) => {
      const [actual = Number.NaN, wanted = Number.NaN] = [results[column], values[i]];
      const error = error32(actual, wanted);
      return error <= 4 ? [] : [{ what, at, actual, exact: wanted, error }];
    });
  });
}

describe.each(Object.keys(lowerings))('by the %s', (which) => {
  const lowering = lowerings[which] ?? ((expression: Expression) => expression);

  test.each(golden.activations)('$name $parameters holds the accuracy contract', (entry) => {
    const formula = find(entry.name, 'activation').with(known(entry));
    const exact: Record<string, number[]> = { y: numbers(entry.y), dy: numbers(entry.dy) };
    for (const name of formula.learned) exact[name] = numbers(entry.dParameters?.[name] ?? []);
    expect(misses(formula, lowering, inputsOfEntry(entry).map((x) => [x]), exact)).toEqual([]);
  });

  test.each(golden.gates)('$name $parameters holds the accuracy contract', (entry) => {
    const [gate, value] = [numbers(golden.pairs.gate), numbers(golden.pairs.value)];
    const exact = { y: numbers(entry.y), dGate: numbers(entry.dGate), dValue: numbers(entry.dValue) };
    const points = gate.map((g, i) => [g, value[i] ?? Number.NaN]);
    expect(misses(find(entry.name, 'gate').with(known(entry)), lowering, points, exact)).toEqual([]);
  });
});

/** Golden parameters under our names; constants that are ours alone keep their defaults. */
function known(entry: { parameters: Readonly<Record<string, number>> }): Record<string, number> {
  return Object.fromEntries(Object.entries(entry.parameters).map(([name, value]) => [name === 'eps' ? 'epsilon' : name, value]));
}
