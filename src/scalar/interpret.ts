import { SluiceError } from '../base/errors.js';
import { type Expression, reachable } from './expression.js';
import { primitives } from './primitives.js';

/** Evaluates several outputs at once; `values` come in the order of the variables. */
export type Evaluator = (values: readonly number[]) => number[];

/**
 * Compiles scalar expressions to an evaluator in float64 that walks a tape: each shared subexpression once,
 * no generated code (pages with a strict content policy run it).
 */
export function interpreter(outputs: readonly Expression[], variables: readonly string[]): Evaluator {
  const order = reachable(outputs);
  const slot = new Map(order.map((expression, i) => [expression, i]));
  const slotOf = (expression: Expression): number => slot.get(expression) ?? 0;
  const tape = new Float64Array(order.length);
  const steps: (() => void)[] = [];
  const inputs: [slot: number, position: number][] = [];
  for (const [i, { node }] of order.entries()) {
    if (node.kind === 'constant') tape[i] = node.value;
    else if (node.kind === 'variable') inputs.push([i, positionOf(node.name, variables)]);
    else if (node.kind === 'apply')
      steps.push(step(tape, i, node.operands.map(slotOf), primitives[node.primitive].evaluate));
    else throw new SluiceError('internal', { rule: 'a scalar expression has no reductions', received: node.reduction });
  }
  const results = outputs.map(slotOf);
  return (values) => {
    for (const [i, position] of inputs) tape[i] = values[position] ?? Number.NaN;
    for (const run of steps) run();
    return results.map((i) => tape[i] ?? Number.NaN);
  };
}

function positionOf(name: string, variables: readonly string[]): number {
  const position = variables.indexOf(name);
  if (position < 0) {
    throw new SluiceError('expression', {
      rule: `an expression uses only the variables ${variables.join(', ')}`,
      received: name,
      remedy: 'List it among the variables, or substitute a number for it.',
    });
  }
  return position;
}

function step(
  tape: Float64Array,
  i: number,
  operands: readonly number[],
  evaluate: (...values: number[]) => number,
): () => void {
  const [a = 0, b = 0, c = 0, d = 0] = operands;
  if (operands.length === 1) {
    return () => {
      tape[i] = evaluate(tape[a] ?? 0);
    };
  }
  if (operands.length === 2) {
    return () => {
      tape[i] = evaluate(tape[a] ?? 0, tape[b] ?? 0);
    };
  }
  return () => {
    tape[i] = evaluate(tape[a] ?? 0, tape[b] ?? 0, tape[c] ?? 0, tape[d] ?? 0);
  };
}

/** The value of an expression without variables other than those given. */
export function evaluate(expression: Expression, values: Readonly<Record<string, number>> = {}): number {
  const names = Object.keys(values);
  return interpreter([expression], names)(names.map((name) => values[name] ?? Number.NaN))[0] ?? Number.NaN;
}
