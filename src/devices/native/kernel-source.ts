import { createHash } from 'node:crypto';
import { type Expression, reachable } from '../../scalar/expression.js';

/** C text of one kernel, to follow prelude.h; `name`, that of its function, is its alone. */
export interface KernelSource {
  readonly name: string;
  readonly code: string;
  /** What it computes, in words. */
  readonly about?: () => string;
}

/** A kernel named by a readable prefix and a hash of its text; `write` gets the name. */
export function kernelSource(prefix: string, write: (name: string) => string, about?: () => string): KernelSource {
  const hash = createHash('sha256').update(write(prefix)).digest('hex').slice(0, 16);
  const name = `${prefix}_${hash}`;
  return { name, code: write(name), ...(about === undefined ? {} : { about }) };
}

const arithmetic = ['add', 'sub', 'mul', 'div', 'neg'];

/** Formulas by their functions: as texts, in which shared parts are written anew each time, they could be endless. */
export function formulasInWords(outputs: readonly Expression[]): string {
  const nodes = reachable(outputs).map(({ node }) => node);
  const names = nodes.flatMap((node) => ('primitive' in node ? [node.primitive] : []));
  const functions = [...new Set<string>(names)].filter((name) => !arithmetic.includes(name));
  return functions.length === 0 ? 'sums and products' : `a formula with ${functions.join(', ')}`;
}

/** Numbers that a launcher shares with its text, as macros. */
export const defines = (numbers: Readonly<Record<string, number>>): string =>
  Object.entries(numbers)
    .map(([name, value]) => `#undef ${name}\n#define ${name} ${value}`)
    .join('\n');
