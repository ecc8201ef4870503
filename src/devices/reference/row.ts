import { type ColumnKernel, elementVariables, type RowKernel, rowBuiltins } from '../../kernels/kernel.js';
import { type Extent, extents } from '../../scalar/differentiate.js';
import { type Expression, reachable, reductions } from '../../scalar/expression.js';
import { primitives } from '../../scalar/primitives.js';
import type { RowArguments, View } from '../device.js';
import { valuesOf } from './buffer.js';

/** A value of a row: one number for all of it, or one for each position. */
type RowValue = number | Float64Array;
type Values = Map<Expression, RowValue>;

interface Plan {
  readonly order: readonly Expression[];
  readonly extent: ReadonlyMap<Expression, Extent>;
}

const plans = new WeakMap<RowKernel | ColumnKernel, Plan>();

function planOf(kernel: RowKernel | ColumnKernel): Plan {
  const known = plans.get(kernel);
  if (known !== undefined) return known;
  const plan: Plan = {
    order: reachable(kernel.outputs),
    extent: extents(kernel.outputs, elementVariables(kernel)),
  };
  plans.set(kernel, plan);
  return plan;
}

const valueAt = (value: RowValue | undefined, position: number): number =>
  (typeof value === 'object' ? value[position] : value) ?? Number.NaN;

function along(length: number, at: (position: number) => number): Float64Array {
  const values = new Float64Array(length);
  for (let j = 0; j < length; j++) values[j] = at(j);
  return values;
}

/** The variables of one row. */
function variablesOfRow(kernel: RowKernel | ColumnKernel, operands: RowArguments, row: number): Map<string, RowValue> {
  const read = (view: View, start: number): Float64Array => {
    const values = valuesOf(view);
    return along(operands.length, (j) => values[start + j] ?? Number.NaN);
  };
  const found = new Map<string, RowValue>();
  found.set(rowBuiltins.length, operands.length);
  found.set(
    rowBuiltins.position,
    along(operands.length, (j) => j),
  );
  for (const [i, view] of operands.elements.entries())
    found.set(kernel.elements[i] ?? '', read(view, view.offset + row * (view.strides[0] ?? 0)));
  for (const [i, view] of operands.columns.entries()) found.set(kernel.columns[i] ?? '', read(view, view.offset));
  for (const [i, view] of operands.perRow.entries())
    found.set(kernel.rows[i] ?? '', valuesOf(view)[view.offset + row] ?? Number.NaN);
  for (const [i, value] of operands.scalars.entries()) found.set(kernel.scalars[i] ?? '', value);
  return found;
}

function applyAt(expression: Expression, values: Values, position: number): number {
  const { node } = expression;
  if (node.kind !== 'apply') return Number.NaN;
  const [a, b, c, d] = node.operands;
  const at = (operand: Expression | undefined): number =>
    operand === undefined ? Number.NaN : valueAt(values.get(operand), position);
  return primitives[node.primitive].evaluate(at(a), at(b), at(c), at(d));
}

/** Every expression's value on one row, operands before their users. */
function evaluateRow(plan: Plan, variables: ReadonlyMap<string, RowValue>, length: number): Values {
  const values: Values = new Map();
  for (const expression of plan.order) {
    const { node } = expression;
    let value: RowValue;
    if (node.kind === 'constant') value = node.value;
    else if (node.kind === 'variable') value = variables.get(node.name) ?? Number.NaN;
    else if (node.kind === 'reduce') {
      const { combine, identity } = reductions[node.reduction];
      const { evaluate } = primitives[combine];
      const operand = values.get(node.operands[0]);
      value = identity as number;
      for (let j = 0; j < length; j++) value = evaluate(value, valueAt(operand, j));
    } else if (plan.extent.get(expression) === 'row') value = applyAt(expression, values, 0);
    else value = along(length, (j) => applyAt(expression, values, j));
    values.set(expression, value);
  }
  return values;
}

export function row(kernel: RowKernel, operands: RowArguments): void {
  const plan = planOf(kernel);
  for (let i = 0; i < operands.rows; i++) {
    const values = evaluateRow(plan, variablesOfRow(kernel, operands, i), operands.length);
    for (const [o, output] of kernel.outputs.entries()) {
      const view = operands.outputs[o];
      if (view === undefined) continue;
      const to = valuesOf(view);
      const value = values.get(output);
      if (plan.extent.get(output) === 'row') to[view.offset + i] = valueAt(value, 0);
      else {
        const start = view.offset + i * (view.strides[0] ?? 0);
        for (let j = 0; j < operands.length; j++) to[start + j] = valueAt(value, j);
      }
    }
  }
}

export function column(kernel: ColumnKernel, operands: RowArguments, accumulate: boolean): void {
  const plan = planOf(kernel);
  const { length } = operands;
  const sums = kernel.outputs.map(() => new Float64Array(length));
  for (let i = 0; i < operands.rows; i++) {
    const values = evaluateRow(plan, variablesOfRow(kernel, operands, i), length);
    for (const [o, output] of kernel.outputs.entries()) {
      const sum = sums[o];
      const value = values.get(output);
      if (sum !== undefined) for (let j = 0; j < length; j++) sum[j] = (sum[j] ?? 0) + valueAt(value, j);
    }
  }
  for (const [o, view] of operands.outputs.entries()) {
    const to = valuesOf(view);
    for (let j = 0; j < length; j++) {
      const before = accumulate ? (to[view.offset + j] ?? Number.NaN) : 0;
      to[view.offset + j] = before + (sums[o]?.[j] ?? Number.NaN);
    }
  }
}
