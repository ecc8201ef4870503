import { createHash } from 'node:crypto';

/** C text of one kernel, to follow prelude.h; `name`, that of its function, is its alone. */
export interface KernelSource {
  readonly name: string;
  readonly code: string;
}

/** A kernel named by a readable prefix and a hash of its text; `write` gets the name. */
export function kernelSource(prefix: string, write: (name: string) => string): KernelSource {
  const hash = createHash('sha256').update(write(prefix)).digest('hex').slice(0, 16);
  const name = `${prefix}_${hash}`;
  return { name, code: write(name) };
}

/** Numbers that a launcher shares with its text, as macros. */
export const defines = (numbers: Readonly<Record<string, number>>): string =>
  Object.entries(numbers)
    .map(([name, value]) => `#undef ${name}\n#define ${name} ${value}`)
    .join('\n');
