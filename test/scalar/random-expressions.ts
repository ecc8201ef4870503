import fc from 'fast-check';
import { apply, constant, Expression, type Reduction, reductions, variable } from '../../src/scalar/expression.js';
import { arity, type Primitive, primitives } from '../../src/scalar/primitives.js';

/** Every primitive that a formula may use. */
export const formulaPrimitives = (Object.keys(primitives) as Primitive[]).filter(
  (name) => primitives[name].written !== 'lanes',
);

/** Numbers as people write them, and any others. */
const numbers = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 0.5, -1, -2, -0.5, 0.1, 4, 1.702, -0),
  fc.double({ min: -8, max: 8, noNaN: true }),
  fc.double(),
);

interface Choice {
  readonly variables: readonly string[];
  readonly names?: readonly Primitive[];
  readonly constants?: fc.Arbitrary<number>;
  readonly rows?: boolean;
}

/** Random expressions; operations on equal subtrees are frequent, so that like terms and squares occur. */
export function expressionsOf({ variables, names = formulaPrimitives, constants = numbers, rows = false }: Choice) {
  return fc.letrec<{ leaf: Expression; tree: Expression }>((tie) => ({
    leaf: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...variables).map(variable) },
      { weight: 1, arbitrary: constants.map(constant) },
    ),
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      tie('leaf'),
      fc
        .tuple(fc.constantFrom(...names), tie('tree'), tie('tree'), tie('tree'), tie('tree'), fc.boolean())
        .map(([name, a, b, c, d, same]) => apply(name, ...[a, same ? a : b, c, d].slice(0, arity(name)))),
      ...(rows
        ? [
            fc
              .tuple(fc.constantFrom(...(Object.keys(reductions) as Reduction[])), tie('tree'))
              .map(([reduction, operand]) => Expression.of({ kind: 'reduce', reduction, operands: [operand] })),
          ]
        : []),
    ),
  })).tree;
}
