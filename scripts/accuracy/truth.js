/** The truth in float64: the interpreter's functions in a program made for the expressions, some ten times as fast. */
import { reachable } from '../../dist/scalar/expression.js';
import { primitives } from '../../dist/scalar/primitives.js';

/** Arithmetic that needs no call. */
const inline = {
  add: (a, b) => `${a} + ${b}`,
  sub: (a, b) => `${a} - ${b}`,
  mul: (a, b) => `${a} * ${b}`,
  div: (a, b) => `${a} / ${b}`,
  neg: (x) => `-${x}`,
  abs: (x) => `Math.abs(${x})`,
  select: (a, b, then, otherwise) => `${a} < ${b} ? ${then} : ${otherwise}`,
};

/**
 * @param {readonly object[]} outputs expressions, as for the interpreter
 * @param {readonly string[]} names their variables
 * @returns {(inputs: readonly ArrayLike<number>[], constants: readonly number[], results: readonly Float64Array[]) => void}
 *   fills the results at every index; the first variables are arrays, the others constants
 */
export function compile(outputs, names, arrays) {
  const locals = new Map();
  const functions = [];
  const body = reachable(outputs).map((expression) => {
    const { node } = expression;
    const local = `v${locals.size}`;
    locals.set(expression, local);
    return `const ${local} = ${formula(node, locals, functions, names, arrays)};`;
  });
  const code = [
    'return (inputs, constants, results) => {',
    ...Array.from({ length: arrays }, (_, k) => `const a${k} = inputs[${k}];`),
    'const length = results[0].length;',
    'for (let i = 0; i < length; i++) {',
    ...body,
    ...outputs.map((output, k) => `results[${k}][i] = ${locals.get(output)};`),
    '}',
    '};',
  ].join('\n');
  return new Function(...functions.map((_, k) => `f${k}`), code)(...functions);
}

function formula(node, locals, functions, names, arrays) {
  if (node.kind === 'constant') return Object.is(node.value, -0) ? '-0' : String(node.value);
  if (node.kind === 'variable') {
    const place = names.indexOf(node.name);
    return place < arrays ? `a${place}[i]` : `constants[${place - arrays}]`;
  }
  if (node.kind !== 'apply') throw new Error(`no ${node.kind} is swept`);
  const operands = node.operands.map((operand) => locals.get(operand));
  const arithmetic = inline[node.primitive];
  if (arithmetic !== undefined) return arithmetic(...operands);
  functions.push(primitives[node.primitive].evaluate);
  return `f${functions.length - 1}(${operands.join(', ')})`;
}
