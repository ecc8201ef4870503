import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import {
  apply,
  constant,
  type Expression,
  Expression as Node,
  type Reduction,
  reachable,
  reductions,
  variable,
} from './expression.js';
import { arity, type Primitive, primitives } from './primitives.js';
import { wholePower } from './sums.js';

const constants: Readonly<Record<string, number>> = {
  pi: Math.PI,
  e: Math.E,
  inf: Number.POSITIVE_INFINITY,
  nan: Number.NaN,
};

/** Functions that are spelled in terms of primitives. */
const spellings: Readonly<Record<string, (...operands: Expression[]) => Expression>> = {
  relu: (x) => operand(x).max(0),
  square: (x) => operand(x).mul(operand(x)),
  silu: (x) => operand(x).mul(operand(x).sigmoid()),
  log2: (x) => operand(x).log().mul(Math.LOG2E),
  cosh: (x) => operand(x).exp().add(operand(x).neg().exp()).mul(0.5),
};
const operand = (x: Expression | undefined): Expression => x ?? constant(Number.NaN);
const hidden: readonly Primitive[] = [
  'select',
  'add',
  'sub',
  'mul',
  'div',
  'neg',
  'scale',
  'scale32',
  'exponent',
  'mantissa',
];

type Token = { readonly kind: 'number' | 'name' | 'symbol' | 'end'; readonly text: string; readonly at: number };

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /\s*(?:((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([A-Za-z_][A-Za-z_0-9]*)|(<=|>=|\*\*|[-+*/^(),<>]))/y;
  let at = 0;
  while (at < text.trimEnd().length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) {
      const start = at + text.slice(at).search(/\S/);
      throw unexpected(text, { kind: 'symbol', text: [...text.slice(start, start + 2)][0] ?? '', at: start });
    }
    if (tokens.length === longest) throw tooLong(text);
    const [whole, number, name, symbol] = match;
    const kind = number !== undefined ? 'number' : name !== undefined ? 'name' : 'symbol';
    const body = number ?? name ?? symbol ?? '';
    tokens.push({ kind, text: body === '**' ? '^' : body, at: at + whole.length - body.length });
    at = pattern.lastIndex;
  }
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

function unexpected(text: string, token: Token): SluiceError {
  const what = token.kind === 'end' ? 'the end of the text' : JSON.stringify(token.text);
  return new SluiceError('expression', {
    rule: `an expression is made of numbers, variables, + - * / ^ and functions; position ${token.at + 1} has ${what}`,
    received: text,
    remedy: 'For example: x * tanh(softplus(x)), or where(x > 0, x, 0.1 * x).',
  });
}

/** Deep nesting would overflow the stack before it means anything, and repeated powers the memory. */
const deepest = 200;
const longest = 4000;

const tooLong = (text: string): SluiceError =>
  new SluiceError('expression', {
    rule: `an expression has at most ${longest} parts, powers written out`,
    received: text,
  });

/** Operations, numbers and variables when nothing is shared. */
function sizeOf(root: Expression): number {
  const sizes = new Map<Expression, number>();
  for (const expression of reachable([root])) {
    sizes.set(
      expression,
      expression.operands.reduce((size, operand) => size + (sizes.get(operand) ?? 1), 1),
    );
  }
  return sizes.get(root) ?? 1;
}

/** What an expression is applied to. */
type Scope = 'number' | 'row';

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  readonly #variables: readonly string[];
  readonly #scope: Scope;
  #position = 0;
  #depth = 0;

  constructor(text: string, variables: readonly string[], scope: Scope) {
    this.#text = text;
    this.#tokens = tokenize(text);
    this.#variables = variables;
    this.#scope = scope;
  }

  parse(): Expression {
    const result = this.#sum();
    if (this.#peek.kind !== 'end') throw unexpected(this.#text, this.#peek);
    if (sizeOf(result) > longest) throw tooLong(this.#text);
    return result;
  }

  get #peek(): Token {
    return this.#tokens[this.#position] ?? { kind: 'end', text: '', at: this.#text.length };
  }

  #accept(...symbols: string[]): string | undefined {
    const { kind, text } = this.#peek;
    if (kind !== 'symbol' || !symbols.includes(text)) return undefined;
    this.#position++;
    return text;
  }

  #expect(symbol: string): void {
    if (this.#accept(symbol) === undefined) throw unexpected(this.#text, this.#peek);
  }

  #nested(read: () => Expression): Expression {
    if (++this.#depth > deepest) {
      throw new SluiceError('expression', {
        rule: `an expression nests at most ${deepest} deep`,
        received: this.#text,
      });
    }
    const result = read();
    this.#depth--;
    return result;
  }

  #sum(): Expression {
    let left = this.#product();
    for (let symbol = this.#accept('+', '-'); symbol !== undefined; symbol = this.#accept('+', '-')) {
      left = symbol === '+' ? left.add(this.#product()) : left.sub(this.#product());
    }
    return left;
  }

  #product(): Expression {
    let left = this.#signed();
    for (let symbol = this.#accept('*', '/'); symbol !== undefined; symbol = this.#accept('*', '/')) {
      left = symbol === '*' ? left.mul(this.#signed()) : left.div(this.#signed());
    }
    return left;
  }

  #signed(): Expression {
    if (this.#accept('+') !== undefined) return this.#nested(() => this.#signed());
    if (this.#accept('-') === undefined) return this.#nested(() => this.#power());
    const isNumber = this.#peek.kind !== 'symbol';
    const negated = this.#nested(() => this.#signed());
    return isNumber && negated.value !== undefined ? constant(-negated.value) : negated.neg();
  }

  #power(): Expression {
    const base = this.#atom();
    if (this.#accept('^') === undefined) return base;
    const exponent = this.#signed();
    const { value } = exponent;
    return value !== undefined && Number.isInteger(value) && Math.abs(value) <= 16
      ? integerPower(base, value)
      : base.pow(exponent);
  }

  #atom(): Expression {
    const token = this.#peek;
    this.#position++;
    if (token.kind === 'number') return constant(Number(token.text));
    if (token.kind === 'name') return this.#peek.text === '(' ? this.#call(token) : this.#named(token);
    if (token.text !== '(') throw unexpected(this.#text, token);
    const inner = this.#sum();
    this.#expect(')');
    return inner;
  }

  #named({ text }: Token): Expression {
    if (this.#variables.includes(text)) return variable(text);
    const value = Object.hasOwn(constants, text) ? constants[text] : undefined;
    if (value !== undefined) return constant(value);
    const names = [...this.#variables, ...Object.keys(constants)];
    throw new SluiceError('expression', {
      rule: `an expression here uses the variables ${this.#variables.join(', ')}`,
      received: text,
      remedy: didYouMean(text, names, 'Parameters are given as numbers.'),
    });
  }

  #call({ text: name }: Token): Expression {
    this.#expect('(');
    if (name === 'where') return this.#where();
    checkFunction(name, this.#scope);
    const operands = [this.#sum()];
    while (this.#accept(',') !== undefined) operands.push(this.#sum());
    this.#expect(')');
    return callFunction(name, operands);
  }

  #where(): Expression {
    const left = this.#sum();
    const comparison = this.#accept('<', '>', '<=', '>=');
    if (comparison === undefined) throw unexpected(this.#text, this.#peek);
    const right = this.#sum();
    this.#expect(',');
    const then = this.#sum();
    this.#expect(',');
    const otherwise = this.#sum();
    this.#expect(')');
    if (comparison === '<') return left.whereLess(right, then, otherwise);
    if (comparison === '>') return right.whereLess(left, then, otherwise);
    return comparison === '<=' ? right.whereLess(left, otherwise, then) : left.whereLess(right, otherwise, then);
  }
}

const integerPower = (base: Expression, exponent: number): Expression =>
  exponent < 0 ? constant(1).div(wholePower(base, -exponent)) : wholePower(base, exponent);

const callable = (Object.keys(primitives) as Primitive[]).filter((primitive) => !hidden.includes(primitive));

/** Ahead of the operands: an error in them may come from the wrong name. */
function checkFunction(name: string, scope: Scope): void {
  const along = scope === 'row' ? Object.keys(reductions) : [];
  const names: readonly string[] = [...callable, ...Object.keys(spellings), ...along, 'where'];
  if (names.includes(name)) return;
  throw new SluiceError('expression', {
    rule: 'a function is one of the primitives',
    received: name,
    remedy: didYouMean(name, names, `They are: ${names.join(', ')}.`),
  });
}

function callFunction(name: string, operands: readonly Expression[]): Expression {
  const wants = (count: number): void => {
    if (operands.length === count) return;
    throw new SluiceError('expression', {
      rule: `${name} takes ${count} operand${count === 1 ? '' : 's'}`,
      received: operands.length,
    });
  };
  const spelling = Object.hasOwn(spellings, name) ? spellings[name] : undefined;
  if (spelling !== undefined) {
    wants(1);
    return spelling(...operands);
  }
  if (Object.hasOwn(reductions, name)) {
    wants(1);
    return Node.of({ kind: 'reduce', reduction: name as Reduction, operands: [operand(operands[0])] });
  }
  const primitive = name as Primitive;
  wants(arity(primitive));
  return apply(primitive, ...operands);
}

/**
 * Reads an expression from text, never by evaluating it as code.
 * @param scope `number` refuses reductions along a row, which an activation or a gate cannot have.
 * @throws SluiceError `expression` with the position of what is wrong, or the nearest name.
 */
export function parse(text: string, variables: readonly string[] = ['x'], scope: Scope = 'row'): Expression {
  return new Parser(text, variables, scope).parse();
}
