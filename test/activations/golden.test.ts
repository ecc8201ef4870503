import { describe, expect, test } from 'vitest';
import { type Formula, find } from '../../src/activations/index.js';
import { gradient } from '../../src/scalar/differentiate.js';
import { extend } from '../../src/scalar/lower.js';
import { type Evaluate, evaluators } from '../support/evaluators.js';
import { golden, inputsOfEntry, numbers } from '../support/golden.js';
import { error32 } from '../support/ulp.js';

interface Miss {
  readonly what: string;
  readonly at: readonly number[];
  readonly actual: number;
  readonly exact: number;
  readonly error: number;
}

/** The value and the derivatives by every input and learned parameter, against exact values by the same names. */
async function misses(
  formula: Formula,
  evaluate: Evaluate,
  inputs: readonly (readonly number[])[],
  exact: Readonly<Record<string, readonly number[]>>,
): Promise<Miss[]> {
  const variables = [...formula.inputs, ...formula.learned];
  const { expression } = formula;
  const partials = gradient([{ output: expression, cotangent: 1 }], variables);
  const outputs = [expression, ...partials].map((output) => extend(output, formula.inputs));
  const learned = formula.learned.map((name) => formula.parameters[name]?.value ?? 0);
  const points = inputs.map((at) => [...at, ...learned]);
  const results = await evaluate(outputs, variables, points);
  return inputs.flatMap((at, i) =>
    Object.entries(exact).flatMap(([what, values], column) => {
      const [actual = Number.NaN, wanted = Number.NaN] = [results[i]?.[column], values[i]];
      const error = error32(actual, wanted);
      return error <= 4 ? [] : [{ what, at, actual, exact: wanted, error }];
    }),
  );
}

describe.each(Object.entries(await evaluators()))('by %s', (_, evaluate) => {
  test.each(golden.activations)('$name $parameters holds the accuracy contract', async (entry) => {
    const formula = find(entry.name, 'activation').with(known(entry));
    const exact: Record<string, number[]> = { y: numbers(entry.y), dy: numbers(entry.dy) };
    for (const name of formula.learned) exact[name] = numbers(entry.dParameters?.[name] ?? []);
    const points = inputsOfEntry(entry).map((x) => [x]);
    expect(await misses(formula, evaluate, points, exact)).toEqual([]);
  });

  test.each(golden.gates)('$name $parameters holds the accuracy contract', async (entry) => {
    const [gate, value] = [numbers(golden.pairs.gate), numbers(golden.pairs.value)];
    const exact = { y: numbers(entry.y), dGate: numbers(entry.dGate), dValue: numbers(entry.dValue) };
    const points = gate.map((g, i) => [g, value[i] ?? Number.NaN]);
    expect(await misses(find(entry.name, 'gate').with(known(entry)), evaluate, points, exact)).toEqual([]);
  });
});

/** Golden parameters under our names. */
function known(entry: { parameters: Readonly<Record<string, number>> }): Record<string, number> {
  return Object.fromEntries(
    Object.entries(entry.parameters).map(([name, value]) => [name === 'eps' ? 'epsilon' : name, value]),
  );
}
