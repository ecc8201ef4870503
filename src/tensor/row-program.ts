import {
  type ColumnKernel,
  columnKernel,
  elementVariables,
  type RowKernel,
  type RowOperands,
  rowBuiltins,
  rowKernel,
} from '../kernels/kernel.js';
import { named } from '../kernels/names.js';
import { type Extent, extents, gradient } from '../scalar/differentiate.js';
import { type Expression, reachable, variable, variablesOf } from '../scalar/expression.js';
import { groupRowFactors } from '../scalar/row-factors.js';
import { simplify } from '../scalar/simplify.js';
import { stabilizeRows } from '../scalar/stable-rows.js';
import { checkOperands, freshName } from './map-program.js';
import { hoist } from './row-values.js';

/** The kernels of a row operation's gradient, for some wanted operands. */
export interface RowGradient {
  /** Row values that forward also computes, [rows] each, so that backward need not: names in backward's kernels. */
  readonly saved: readonly string[];
  /** Forward with the saved values as further outputs. */
  readonly forward: RowKernel;
  /** Operands that backward reads. */
  readonly needs: readonly string[];
  /** Row gradient outputs, in order, and the operand each belongs to; then the row values for the column kernel. */
  readonly rowOutputs: readonly RowOutput[];
  readonly columnOutputs: readonly { readonly name: string; readonly expression: Expression }[];
  /** Row values that the row kernel computes for the column kernel: names and expressions. */
  readonly hoisted: ReadonlyMap<Expression, string>;
  /** The kernels made so far, by what they add to and compute. */
  readonly kernels: Map<string, RowKernel | ColumnKernel>;
}

export interface RowOutput {
  readonly name: string;
  readonly expression: Expression;
  /** Whether the gradient has a value for each element, or one for the row. */
  readonly extent: Extent;
}

export type OperandKind = 'element' | 'column' | 'row';

/** A fused operation along rows: its kernel, and the kernels of its gradient, made when first asked for. */
export class RowProgram implements RowOperands {
  readonly elements: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly string[];
  readonly scalars: readonly string[];
  readonly outputs: readonly Expression[];
  readonly kernel: RowKernel;
  /** The tensors it takes, in order. */
  readonly operands: readonly { readonly name: string; readonly kind: OperandKind }[];
  /** Whether each output has a value for each element, or one for the row. */
  readonly extents: readonly Extent[];
  /** The names of the outputs' gradients in backward's kernels. */
  readonly cotangents: readonly string[];
  readonly #operation: string;
  readonly #definition: readonly Expression[];
  readonly #gradients = new Map<string, RowGradient>();

  /** The operation is what profiles call it. */
  constructor(operation: string, outputs: readonly Expression[], operands: RowOperands) {
    const { elements, columns, rows, scalars } = operands;
    this.#operation = operation;
    checkOperands(outputs, [...elements, ...columns, ...rows, ...scalars, ...Object.values(rowBuiltins)]);
    this.elements = elements;
    this.columns = columns;
    this.rows = rows;
    this.scalars = scalars;
    this.outputs = outputs;
    const placed = (names: readonly string[], kind: OperandKind) => names.map((name) => ({ name, kind }));
    this.operands = [...placed(elements, 'element'), ...placed(columns, 'column'), ...placed(rows, 'row')];
    this.#definition = outputs.map(simplify);
    this.kernel = named(rowKernel({ elements, columns, rows, scalars, outputs: this.#definition }), operation);
    const extent = extents(this.#definition, elementVariables(this));
    this.extents = this.#definition.map((output) => extent.get(output) ?? 'row');
    this.cotangents = outputs.map((_, k) => freshName(`cotangent${k}`, this.#names));
  }

  get #names(): string[] {
    return [...this.elements, ...this.columns, ...this.rows, ...this.scalars];
  }

  /** The variables that run along the row in backward. */
  get #elementNames(): Set<string> {
    const running = this.cotangents.filter((_, k) => this.extents[k] === 'element');
    return new Set([...elementVariables(this), ...running]);
  }

  gradient(wanted: readonly string[]): RowGradient {
    const key = wanted.join();
    const known = this.#gradients.get(key);
    if (known !== undefined) return known;
    const made = this.#derive(wanted);
    this.#gradients.set(key, made);
    return made;
  }

  #derive(wanted: readonly string[]): RowGradient {
    const seeds = this.#definition.map((output, k) => ({ output, cotangent: variable(this.cotangents[k] ?? '') }));
    // Ahead of the hoisting: an accurate form is found by the reductions that it is made of.
    const derived = gradient(seeds, wanted, this.#elementNames).map((expression) =>
      groupRowFactors(stabilizeRows(expression, this.#elementNames), this.#elementNames),
    );
    // What forward computes for the row anyway takes one number per row to save.
    const computed = new Set(reachable(this.#definition));
    const savable = (expression: Expression): boolean =>
      computed.has(expression) ||
      (expression.node.kind === 'reduce' && !variablesOf([expression]).some((name) => this.cotangents.includes(name)));
    const saved = hoist(derived, this.#elementNames, (i) => freshName(`saved${i}`, this.#names), savable);
    const sought = wanted.map((name, i) => ({ name, expression: saved.expressions[i] ?? variable(name) }));
    const columnWise = sought.filter(({ name }) => this.columns.includes(name));
    const rowWise = sought.filter(({ name }) => !this.columns.includes(name));
    const hoisted = hoist(
      columnWise.map(({ expression }) => expression),
      this.#elementNames,
      (i) => freshName(`hoisted${i}`, this.#names),
      () => true,
    );
    const columnOutputs = columnWise.map(({ name }, i) => ({
      name,
      expression: hoisted.expressions[i] ?? variable(name),
    }));
    const extent = extents(
      rowWise.map(({ expression }) => expression),
      this.#elementNames,
    );
    const rowOutputs = rowWise.map((output) => ({ ...output, extent: extent.get(output.expression) ?? 'row' }));
    const read = [...rowOutputs, ...columnOutputs].map(({ expression }) => expression);
    const used = new Set(variablesOf([...read, ...hoisted.names.keys()]));
    return {
      saved: [...saved.names.values()],
      forward: named(
        rowKernel({ ...this.#operands(), outputs: [...this.#definition, ...saved.names.keys()] }),
        this.#operation,
      ),
      needs: this.#names.filter((name) => used.has(name) && !this.scalars.includes(name)),
      rowOutputs,
      columnOutputs,
      hoisted: hoisted.names,
      kernels: new Map(),
    };
  }

  #operands(): RowOperands {
    const { elements, columns, rows, scalars } = this;
    return { elements, columns, rows, scalars };
  }

  /** The row kernel of a gradient, whose outputs are added to sums so far where `adds` says so. */
  rowGradientKernel(found: RowGradient, adds: readonly boolean[]): RowKernel {
    const key = `row ${adds.join()}`;
    const known = found.kernels.get(key);
    if (known?.kind === 'row') return known;
    const outputs = found.rowOutputs.map(({ name, expression }, i) =>
      adds[i] === true ? expression.add(variable(this.previousOf(name))) : expression,
    );
    const added = found.rowOutputs.filter((_, i) => adds[i] === true);
    const previous = (extent: Extent): string[] =>
      added.filter((output) => output.extent === extent).map(({ name }) => this.previousOf(name));
    const operands = this.#backwardOperands(found, [...outputs, ...found.hoisted.keys()]);
    const kernel = rowKernel({
      ...operands,
      elements: [...operands.elements, ...previous('element')],
      rows: [...operands.rows, ...previous('row')],
      outputs: [...outputs, ...found.hoisted.keys()],
    });
    found.kernels.set(key, kernel);
    return named(kernel, `${this.#operation} gradient`);
  }

  previousOf(name: string): string {
    return freshName(`previous_${name}`, this.#names);
  }

  /** The column kernel of a gradient, for some of its outputs. */
  columnGradientKernel(found: RowGradient, outputs: readonly Expression[]): ColumnKernel {
    const key = `column ${outputs.map(({ id }) => id).join()}`;
    const known = found.kernels.get(key);
    if (known?.kind === 'column') return known;
    const operands = this.#backwardOperands(found, outputs);
    const hoisted = [...found.hoisted.values()];
    const kernel = columnKernel({ ...operands, rows: [...operands.rows, ...hoisted], outputs });
    found.kernels.set(key, kernel);
    return named(kernel, `${this.#operation} gradient, summed`);
  }

  /** The operands that the outputs read: forward's, saved row values and cotangents. */
  #backwardOperands(found: RowGradient, outputs: readonly Expression[]): RowOperands {
    const used = new Set(variablesOf(outputs));
    const reads = (names: readonly string[]): string[] => names.filter((name) => used.has(name));
    const cotangents = (extent: Extent): string[] => this.cotangents.filter((_, k) => this.extents[k] === extent);
    return {
      elements: reads([...this.elements, ...cotangents('element')]),
      columns: reads(this.columns),
      rows: reads([...this.rows, ...found.saved, ...cotangents('row')]),
      scalars: this.scalars,
    };
  }
}
