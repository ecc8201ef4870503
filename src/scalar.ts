/** `sluice/scalar`: expressions over numbers and rows, their derivatives, parser and printers. */
export { derivative, gradient, type Seed } from './scalar/differentiate.js';
export { constant, Expression, substitute, variable, variables, variablesOf } from './scalar/expression.js';
export type { Callable, Library } from './scalar/functions.js';
export { type Evaluator, evaluate as evaluateExpression, interpreter } from './scalar/interpret.js';
export { type Cost, cost } from './scalar/lower.js';
export { parse as parseExpression } from './scalar/parse.js';
export type { Primitive } from './scalar/primitives.js';
export { toLatex, toText } from './scalar/print.js';
export { simplify } from './scalar/simplify.js';
