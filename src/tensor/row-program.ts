import {
  type ColumnKernel,
  columnKernel,
  elementVariables,
  type RowKernel,
  type RowOperands,
  rowKernel,
} from '../kernels/kernel.js';
import { type Extent, extents, gradient } from '../scalar/differentiate.js';
import { type Expression, reachable, transform, variable, variablesOf, withOperands } from '../scalar/expression.js';
import { simplify } from '../scalar/simplify.js';
import { freshName } from './map-program.js';

/** An operand of a row program, by name. */
export interface Operand {
  readonly name: string;
  readonly kind: 'elements' | 'columns' | 'rows';
}

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
}

export interface RowOutput {
  readonly name: string;
  readonly expression: Expression;
  /** Whether the gradient has a value for each element, or one for the row. */
  readonly extent: Extent;
}

/** A fused operation along rows: its kernel, and the kernels of its gradient, made when first asked for. */
export class RowProgram implements RowOperands {
  readonly elements: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly string[];
  readonly scalars: readonly string[];
  readonly outputs: readonly Expression[];
  readonly kernel: RowKernel;
  /** Whether each output has a value for each element, or one for the row. */
  readonly extents: readonly Extent[];
  /** The names of the outputs' gradients in backward's kernels. */
  readonly cotangents: readonly string[];
  readonly #definition: readonly Expression[];
  readonly #gradients = new Map<string, RowGradient>();
  readonly #kernels = new Map<string, RowKernel | ColumnKernel>();

  constructor(outputs: readonly Expression[], { elements, columns, rows, scalars }: RowOperands) {
    this.elements = elements;
    this.columns = columns;
    this.rows = rows;
    this.scalars = scalars;
    this.outputs = outputs;
    this.#definition = outputs.map(simplify);
    this.kernel = rowKernel({ elements, columns, rows, scalars, outputs: this.#definition });
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
    const derived = gradient(seeds, wanted, this.#elementNames);
    // What does not depend on the cotangents is known in forward, and takes one number per row to save.
    const savable = (expression: Expression): boolean =>
      !variablesOf([expression]).some((name) => this.cotangents.includes(name));
    const saved = hoist(derived, this.#elementNames, 'saved', this.#names, savable);
    const named = wanted.map((name, i) => ({ name, expression: saved.expressions[i] ?? variable(name) }));
    const columnWise = named.filter(({ name }) => this.columns.includes(name));
    const rowWise = named.filter(({ name }) => !this.columns.includes(name));
    const hoisted = hoist(
      columnWise.map(({ expression }) => expression),
      this.#elementNames,
      'hoisted',
      this.#names,
      () => true,
    );
    const columnOutputs = columnWise.map(({ name }, i) => ({ name, expression: hoisted.expressions[i] ?? variable(name) }));
    const extent = extents(
      rowWise.map(({ expression }) => expression),
      this.#elementNames,
    );
    const rowOutputs = rowWise.map((output) => ({ ...output, extent: extent.get(output.expression) ?? 'row' }));
    const read = [...rowOutputs, ...columnOutputs].map(({ expression }) => expression);
    const used = new Set(variablesOf([...read, ...hoisted.names.keys()]));
    return {
      saved: [...saved.names.values()],
      forward: rowKernel({ ...this.#operands(), outputs: [...this.#definition, ...saved.names.keys()] }),
      needs: this.#names.filter((name) => used.has(name) && !this.scalars.includes(name)),
      rowOutputs,
      columnOutputs,
      hoisted: hoisted.names,
    };
  }

  #operands(): RowOperands {
    const { elements, columns, rows, scalars } = this;
    return { elements, columns, rows, scalars };
  }

  /** The row kernel of a gradient, whose outputs are added to sums so far where `adds` says so. */
  rowGradientKernel(found: RowGradient, adds: readonly boolean[]): RowKernel {
    const key = `row ${found.rowOutputs.map(({ name }) => name).join()} ${adds.join()} ${[...found.hoisted.keys()].map(({ id }) => id).join()}`;
    const known = this.#kernels.get(key);
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
    this.#kernels.set(key, kernel);
    return kernel;
  }

  previousOf(name: string): string {
    return freshName(`previous_${name}`, this.#names);
  }

  /** The column kernel of a gradient, for some of its outputs. */
  columnGradientKernel(found: RowGradient, outputs: readonly Expression[]): ColumnKernel {
    const key = `column ${outputs.map(({ id }) => id).join()}`;
    const known = this.#kernels.get(key);
    if (known?.kind === 'column') return known;
    const operands = this.#backwardOperands(found, outputs);
    const hoisted = [...found.hoisted.values()];
    const kernel = columnKernel({ ...operands, rows: [...operands.rows, ...hoisted], outputs });
    this.#kernels.set(key, kernel);
    return kernel;
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

/**
 * Puts variables in place of the largest subexpressions that have one value for the row, need a reduction and are
 * acceptable.
 */
function hoist(
  roots: readonly Expression[],
  elementNames: ReadonlySet<string>,
  prefix: string,
  taken: readonly string[],
  acceptable: (expression: Expression) => boolean,
): { readonly expressions: readonly Expression[]; readonly names: ReadonlyMap<Expression, string> } {
  const extent = extents(roots, elementNames);
  const reduces = new Set<Expression>();
  const candidates = new Set<Expression>();
  for (const expression of reachable(roots)) {
    const { node } = expression;
    if (node.kind === 'reduce' || expression.operands.some((operand) => reduces.has(operand))) reduces.add(expression);
    if (reduces.has(expression) && extent.get(expression) === 'row' && acceptable(expression)) candidates.add(expression);
  }
  const names = new Map<Expression, string>();
  const visit = (expression: Expression): void => {
    if (names.has(expression)) return;
    if (candidates.has(expression)) names.set(expression, freshName(`${prefix}${names.size}`, taken));
    else for (const operand of expression.operands) visit(operand);
  };
  for (const root of roots) visit(root);
  const done = new Map<Expression, Expression>();
  const expressions = roots.map((root) =>
    transform(
      root,
      (expression, operands) => {
        const name = names.get(expression);
        return name === undefined ? withOperands(expression, operands) : variable(name);
      },
      done,
    ),
  );
  return { expressions, names };
}

