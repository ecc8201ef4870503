import { SluiceError } from '../base/errors.js';
import { Elementwise } from './elementwise.js';
import type { Primitive } from './primitives.js';

/** Reductions along a row, each the repeated application of a primitive. */
export const reductions = {
  sum: { combine: 'add', identity: 0 },
  maximum: { combine: 'max', identity: Number.NEGATIVE_INFINITY },
} as const satisfies Record<string, { combine: Primitive; identity: number }>;
export type Reduction = keyof typeof reductions;

export type Node =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'apply'; readonly primitive: Primitive; readonly operands: readonly Expression[] }
  | { readonly kind: 'reduce'; readonly reduction: Reduction; readonly operands: readonly [Expression] };

/**
 * A real-valued expression, immutable. Equal expressions are one object (they are interned), so common
 * subexpressions are shared by construction and `===` is structural equality.
 */
export class Expression extends Elementwise<Expression> {
  /** Rises with creation: an operand's id is below its user's, so sorting by id is a topological order. */
  readonly id: number;
  readonly node: Node;

  private constructor(id: number, node: Node) {
    super();
    this.id = id;
    this.node = node;
  }

  static readonly #interned = new Map<string, Expression>();

  static of(node: Node): Expression {
    const key = keyOf(node);
    const known = Expression.#interned.get(key);
    if (known !== undefined) return known;
    const made = new Expression(Expression.#interned.size, node);
    Expression.#interned.set(key, made);
    return made;
  }

  override apply(primitive: Primitive, ...rest: readonly (Expression | number)[]): Expression {
    return apply(primitive, this, ...rest);
  }

  /** The sum over the row this value runs along. */
  sum(): Expression {
    return Expression.of({ kind: 'reduce', reduction: 'sum', operands: [this] });
  }

  /** The largest value of the row. It only shifts stable formulas, so it has no derivative here. */
  maximum(): Expression {
    return Expression.of({ kind: 'reduce', reduction: 'maximum', operands: [this] });
  }

  get operands(): readonly Expression[] {
    return this.node.kind === 'apply' || this.node.kind === 'reduce' ? this.node.operands : [];
  }

  /** The number, if this is a constant. */
  get value(): number | undefined {
    return this.node.kind === 'constant' ? this.node.value : undefined;
  }
}

function keyOf(node: Node): string {
  switch (node.kind) {
    case 'constant':
      return Object.is(node.value, -0) ? '-0' : String(node.value);
    case 'variable':
      return `$${node.name}`;
    case 'apply':
      return `${node.primitive}(${node.operands.map((operand) => operand.id).join()})`;
    case 'reduce':
      return `${node.reduction}[${node.operands[0].id}]`;
  }
}

export function constant(value: number): Expression {
  return Expression.of({ kind: 'constant', value });
}

export function variable(name: string): Expression {
  if (!/^[A-Za-z_][A-Za-z_0-9]*$/.test(name)) {
    throw new SluiceError('expression', {
      rule: 'a variable is a letter followed by letters and digits',
      received: name,
      remedy: 'Use a name such as x, slope or beta2.',
    });
  }
  return Expression.of({ kind: 'variable', name });
}

/** A variable for each name: `const [x, y] = variables('x', 'y')`. */
export const variables = <const Names extends readonly string[]>(...names: Names) =>
  names.map(variable) as { readonly [Place in keyof Names]: Expression };

export const toExpression = (value: Expression | number): Expression =>
  typeof value === 'number' ? constant(value) : value;

export function apply(primitive: Primitive, ...operands: readonly (Expression | number)[]): Expression {
  return Expression.of({ kind: 'apply', primitive, operands: operands.map(toExpression) });
}

/** Every expression that the given ones are made of, operands before their users. */
export function reachable(roots: readonly Expression[]): Expression[] {
  const seen = new Set<Expression>();
  const visit = (expression: Expression): void => {
    if (seen.has(expression)) return;
    seen.add(expression);
    for (const operand of expression.operands) visit(operand);
  };
  for (const root of roots) visit(root);
  return [...seen].sort((a, b) => a.id - b.id);
}

/** The names of the variables in the expressions, in order of first appearance. */
export function variablesOf(roots: readonly Expression[]): string[] {
  return reachable(roots).flatMap(({ node }) => (node.kind === 'variable' ? [node.name] : []));
}

/** A fact about each expression, found once from the same fact about its operands and kept as long as the expression. */
export function fact<T extends object>(derive: (expression: Expression, operands: readonly T[]) => T) {
  const known = new WeakMap<Expression, T>();
  const of = (expression: Expression): T => {
    const found = known.get(expression);
    if (found !== undefined) return found;
    const made = derive(expression, expression.operands.map(of));
    known.set(expression, made);
    return made;
  };
  return of;
}

/** Rebuilds an expression bottom-up: `rebuild` gets each node with its operands already rebuilt. */
export function transform(
  root: Expression,
  rebuild: (expression: Expression, operands: readonly Expression[]) => Expression,
  done = new Map<Expression, Expression>(),
): Expression {
  for (const expression of reachable([root])) {
    if (done.has(expression)) continue;
    const operands = expression.operands.map((operand) => done.get(operand) ?? operand);
    done.set(expression, rebuild(expression, operands));
  }
  return done.get(root) ?? root;
}

/** The same node on other operands. */
export function withOperands(expression: Expression, operands: readonly Expression[]): Expression {
  const { node } = expression;
  if (node.kind === 'apply') return Expression.of({ ...node, operands });
  const [operand] = operands;
  return node.kind === 'reduce' && operand !== undefined ? Expression.of({ ...node, operands: [operand] }) : expression;
}

type Values = Readonly<Record<string, Expression | number>>;

const valuesIn =
  (values: Values) =>
  (expression: Expression, operands: readonly Expression[]): Expression => {
    if (expression.node.kind !== 'variable') return withOperands(expression, operands);
    const value = Object.hasOwn(values, expression.node.name) ? values[expression.node.name] : undefined;
    return value === undefined ? expression : toExpression(value);
  };

/** Replaces variables by expressions or numbers. */
export const substitute = (root: Expression, values: Values): Expression => transform(root, valuesIn(values));

/** A row expression at one position, where its variables have these values; reductions stay those of the whole row. */
export function atPosition(root: Expression, values: Values): Expression {
  const reductionsOfRow = reachable([root]).filter(({ node }) => node.kind === 'reduce');
  return transform(root, valuesIn(values), new Map(reductionsOfRow.map((reduction) => [reduction, reduction])));
}
