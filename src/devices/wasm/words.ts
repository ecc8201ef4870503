import type { FunctionBuilder, Local } from './assembler.js';

/** Reads a launch's arguments, 32-bit words in the order of `names`, into locals. */
export function readWords<N extends string>(
  f: FunctionBuilder,
  block: Local<'i32'>,
  names: readonly N[],
): Readonly<Record<N, Local<'i32'>>> {
  const locals = f.locals('i32', ...names);
  for (const name of names) {
    pushWord(f, block, names, name);
    f.set(locals[name]);
  }
  return locals;
}

/** Pushes one argument. */
export function pushWord<N extends string>(
  f: FunctionBuilder,
  block: Local<'i32'>,
  names: readonly N[],
  name: N,
): void {
  f.get(block);
  f.load('i32.load', 4 * names.indexOf(name));
}

/** The arguments of a launch in the order of `names`; those not given are 0. */
export function writeWords<N extends string>(names: readonly N[], values: Partial<Record<N, number>>): number[] {
  return names.map((name) => values[name] ?? 0);
}
