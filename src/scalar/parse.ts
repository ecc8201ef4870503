import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { constant, type Expression, reachable, variable } from './expression.js';
import { call, functionOf, type Library, noLibrary, type Scope } from './functions.js';
import { integerPower, longestPower } from './sums.js';
import { longest, type Token, tokenize, tooLong, unexpected } from './tokens.js';

const constants: Readonly<Record<string, number>> = {
  pi: Math.PI,
  e: Math.E,
  inf: Number.POSITIVE_INFINITY,
  nan: Number.NaN,
};

/** Deeper nesting would overflow the stack before it means anything. */
const deepest = 200;

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

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  readonly #variables: readonly string[];
  readonly #scope: Scope;
  readonly #library: Library;
  #position = 0;
  #depth = 0;

  constructor(text: string, variables: readonly string[], scope: Scope, library: Library) {
    this.#text = text;
    this.#tokens = tokenize(text);
    this.#variables = variables;
    this.#scope = scope;
    this.#library = library;
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
        remedy: 'Write it with fewer brackets, or as several expressions.',
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
    return value !== undefined && Number.isInteger(value) && Math.abs(value) <= longestPower
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
    // Ahead of the operands: an error in them may come from the wrong name.
    const callable = functionOf(name, this.#library, this.#scope);
    const operands = [this.#sum()];
    while (this.#accept(',') !== undefined) operands.push(this.#sum());
    this.#expect(')');
    return call(name, callable, operands);
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

/**
 * Reads an expression from text, never by evaluating it as code.
 * @param scope `number` refuses reductions along a row, which an activation or a gate cannot have.
 * @param library formulas that the text may call by name, beside the primitives.
 * @throws SluiceError `expression` with the position of what is wrong, or the nearest name.
 */
export function parse(
  text: string,
  variables: readonly string[] = ['x'],
  scope: Scope = 'row',
  library: Library = noLibrary,
): Expression {
  return new Parser(text, variables, scope, library).parse();
}
