/** How a primitive is written: as plain text (which the parser reads back) and as LaTeX. */

/** Binding strength: 0 anything, 1 sums, 2 products, 3 a sign, 4 powers, 5 closed. */
export interface Template {
  readonly level: number;
  /** The least level each operand must have, else it is put in brackets. */
  readonly operands: readonly number[];
  readonly write: (...operands: string[]) => string;
}
export interface Notation {
  readonly text: Template;
  readonly latex: Template;
}

const closed = (write: Template['write']): Template => ({ level: 5, operands: [], write });

export function infix(symbol: string, level: number, latexSymbol = symbol): Notation {
  const leftAssociative = [level, level + 1];
  const spaced = symbol === '+' || symbol === '-' ? ` ${symbol} ` : symbol;
  return {
    text: { level, operands: leftAssociative, write: (a, b) => `${a}${spaced}${b}` },
    latex: { level, operands: leftAssociative, write: (a, b) => `${a}${latexSymbol}${b}` },
  };
}

export const fraction: Notation = {
  text: { level: 2, operands: [2, 3], write: (a, b) => `${a}/${b}` },
  latex: { level: 5, operands: [0, 0], write: (a, b) => `\\frac{${a}}{${b}}` },
};

export function prefix(symbol: string): Notation {
  const template: Template = { level: 3, operands: [3], write: (x) => `${symbol}${x}` };
  return { text: template, latex: template };
}

export const call = (name: string, latexName: string): Notation => ({
  text: closed((...operands) => `${name}(${operands.join(', ')})`),
  latex: closed((...operands) => `${latexName}\\left(${operands.join(', ')}\\right)`),
});

/** As text a call, since the parser reads x^2 as x*x. */
export const power: Notation = {
  ...call('pow', 'pow'),
  latex: { level: 4, operands: [5, 0], write: (a, b) => `${a}^{${b}}` },
};

/** A function whose LaTeX surrounds its operand. */
export const wrap = (name: string, left: string, right: string): Notation => ({
  ...call(name, name),
  latex: closed((x) => `${left}${x}${right}`),
});

export const cases: Notation = {
  text: closed((a, b, then, otherwise) => `where(${a} < ${b}, ${then}, ${otherwise})`),
  latex: closed(
    (a, b, then, otherwise) =>
      `\\begin{cases} ${then} & \\text{if } ${a} < ${b} \\\\ ${otherwise} & \\text{otherwise} \\end{cases}`,
  ),
};
