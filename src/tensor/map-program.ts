import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { type ColumnKernel, columnKernel, type MapKernel, mapKernel } from '../kernels/kernel.js';
import { named } from '../kernels/names.js';
import { gradient } from '../scalar/differentiate.js';
import { constant, type Expression, variable, variablesOf } from '../scalar/expression.js';
import { extend } from '../scalar/lower.js';
import { simplify } from '../scalar/simplify.js';

/** How an operand of a gradient lies over [rows, length]: its value depends on both indices, the column or the row. */
export type Role = 'element' | 'column' | 'row';

/** Operands by number: inputs of the program, or cotangents of its outputs. */
export interface GradientOperands {
  readonly inputs: readonly number[];
  readonly cotangents: readonly number[];
}

export interface MapGradient extends GradientOperands {
  /** Inputs in the order of `inputs`, `cotangents`, then a sum so far for each output that has one. */
  readonly kernel: MapKernel;
}

export interface ColumnGradient extends GradientOperands {
  readonly kernel: ColumnKernel;
}

/** A fused elementwise operation: its kernel, and the kernels of its gradients, made when first asked for. */
export class MapProgram {
  readonly inputs: readonly string[];
  readonly scalars: readonly string[];
  readonly outputs: readonly Expression[];
  readonly kernel: MapKernel;
  readonly #operation: string;
  readonly #definition: readonly Expression[];
  readonly #extended: boolean;
  readonly #isRough: boolean;
  readonly #cotangents: readonly string[];
  readonly #gradients = new Map<number, Expression>();
  readonly #operands = new Map<number, GradientOperands>();
  readonly #needs = new Map<string, readonly number[]>();
  readonly #mapKernels = new Map<string, MapGradient>();
  readonly #columnKernels = new Map<string, ColumnGradient>();

  /**
   * With `extended`, infinities in the inputs give the limits and NaN gives NaN, in the gradients too. The operation is
   * what profiles call it. `isRough` is as of a map kernel.
   */
  constructor(
    operation: string,
    outputs: readonly Expression[],
    inputs: readonly string[],
    scalars: readonly string[],
    extended: boolean,
    isRough = false,
  ) {
    checkOperands(outputs, [...inputs, ...scalars]);
    this.#operation = operation;
    this.inputs = inputs;
    this.scalars = scalars;
    this.outputs = outputs;
    this.#extended = extended;
    this.#isRough = isRough;
    this.#definition = outputs.map(simplify);
    this.#cotangents = outputs.map((_, k) => freshName(`cotangent${k}`, [...inputs, ...scalars]));
    const definition = this.#definition.map((output) => this.#extend(output));
    this.kernel = named(mapKernel({ inputs, scalars, isRough, outputs: definition }), operation);
  }

  #extend(expression: Expression): Expression {
    return this.#extended ? extend(expression, this.inputs) : expression;
  }

  /** The gradient of an input: the sum over outputs of cotangent times derivative. */
  gradientOf(input: number): Expression {
    const known = this.#gradients.get(input);
    if (known !== undefined) return known;
    const name = this.inputs[input] ?? '';
    // Each derivative is taken with a cotangent of 1: stable forms are found in the bare derivative.
    const terms = this.#definition.flatMap((output, k) => {
      const [partial] = gradient([{ output, cotangent: 1 }], [name]);
      if (partial === undefined || partial.value === 0) return [];
      const cotangent = variable(this.#cotangents[k] ?? '');
      return [simplify(cotangent.mul(this.#extend(partial)))];
    });
    const [first, ...rest] = terms;
    const sum = first === undefined ? constant(0) : rest.reduce((total, term) => total.add(term), first);
    this.#gradients.set(input, sum);
    return sum;
  }

  /** The output whose cotangent is, as it stands, the gradient of the input. */
  aliasOf(input: number): number | undefined {
    const { node } = this.gradientOf(input);
    const output = node.kind === 'variable' ? this.#cotangents.indexOf(node.name) : -1;
    return output < 0 ? undefined : output;
  }

  /** The inputs whose values the gradients of the wanted inputs read. */
  needs(wanted: readonly number[]): readonly number[] {
    const key = wanted.join();
    const known = this.#needs.get(key);
    if (known !== undefined) return known;
    const needed = this.#operandsOf(wanted.map((input) => this.gradientOf(input))).inputs;
    this.#needs.set(key, needed);
    return needed;
  }

  #operandsOf(expressions: readonly Expression[]): GradientOperands {
    const used = new Set(variablesOf(expressions));
    const positions = (names: readonly string[]): number[] => names.flatMap((name, i) => (used.has(name) ? [i] : []));
    return { inputs: positions(this.inputs), cotangents: positions(this.#cotangents) };
  }

  #names({ inputs, cotangents }: GradientOperands): string[] {
    return [...inputs.map((i) => this.inputs[i] ?? ''), ...cotangents.map((k) => this.#cotangents[k] ?? '')];
  }

  /** One kernel for the gradients of the wanted inputs, each added to a sum so far where `adds` says so. */
  mapGradient(wanted: readonly number[], adds: readonly boolean[]): MapGradient {
    const key = wanted.map((input, i) => (adds[i] === true ? `+${input}` : `${input}`)).join();
    const known = this.#mapKernels.get(key);
    if (known !== undefined) return known;
    const gradients = wanted.map((input) => this.gradientOf(input));
    const operands = this.#operandsOf(gradients);
    const names = this.#names(operands);
    const previous = wanted.map((input) => freshName(`previous${input}`, [...names, ...this.scalars]));
    const outputs = gradients.map((expression, i) =>
      adds[i] === true ? expression.add(variable(previous[i] ?? '')) : expression,
    );
    const inputs = [...names, ...previous.filter((_, i) => adds[i] === true)];
    const weights = [...this.#cotangents, ...previous].filter((name) => inputs.includes(name));
    const kernel = mapKernel({ inputs, scalars: this.scalars, weights, isRough: this.#isRough, outputs });
    const made = { ...operands, kernel: named(kernel, `${this.#operation} gradient`) };
    this.#mapKernels.set(key, made);
    return made;
  }

  /** What the gradient of one input reads. */
  operandsOf(input: number): GradientOperands {
    const known = this.#operands.get(input);
    if (known !== undefined) return known;
    const operands = this.#operandsOf([this.gradientOf(input)]);
    this.#operands.set(input, operands);
    return operands;
  }

  /** The gradient of an input that repeats along rows, summed over them; roles by operand, inputs first. */
  columnGradient(input: number, roles: readonly Role[]): ColumnGradient {
    const key = `${input} ${roles.join()}`;
    const known = this.#columnKernels.get(key);
    if (known !== undefined) return known;
    const operands = this.operandsOf(input);
    const names = this.#names(operands);
    const inRole = (role: Role): string[] => names.filter((_, i) => roles[i] === role);
    const kernel = columnKernel({
      elements: inRole('element'),
      columns: inRole('column'),
      rows: inRole('row'),
      scalars: this.scalars,
      outputs: [this.gradientOf(input)],
    });
    const made = { ...operands, kernel: named(kernel, `${this.#operation} gradient, summed`) };
    this.#columnKernels.set(key, made);
    return made;
  }
}

/** Refuses expressions with variables that are not operands. */
export function checkOperands(outputs: readonly Expression[], names: readonly string[]): void {
  const unknown = variablesOf(outputs).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new SluiceError('expression', {
    rule: `the variables of an operation's expressions are its operands (${names.join(', ')})`,
    received: unknown,
    remedy: didYouMean(unknown, names, 'Give a tensor or a number for each variable.'),
  });
}

/** The name, with underscores behind it until it differs from those taken. */
export function freshName(name: string, taken: readonly string[]): string {
  let fresh = name;
  while (taken.includes(fresh)) fresh += '_';
  return fresh;
}

/** Programs by what they compute. Callers that pass the same arrays of expressions pay for a few comparisons. */
export class ProgramCache<P extends { readonly outputs: readonly Expression[] }> {
  readonly #byFirst = new WeakMap<Expression, P[]>();

  find(outputs: readonly Expression[], matches: (program: P) => boolean, make: () => P): P {
    const [first] = outputs;
    if (first === undefined) return make();
    const programs = this.#byFirst.get(first) ?? [];
    this.#byFirst.set(first, programs);
    for (const program of programs) if (sameItems(program.outputs, outputs) && matches(program)) return program;
    const made = make();
    programs.push(made);
    return made;
  }
}

export const sameItems = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i]);
