import { toText } from '../scalar/print.js';
import type { ColumnKernel, MapKernel, RowKernel } from './kernel.js';

type AnyKernel = MapKernel | RowKernel | ColumnKernel;

const names = new WeakMap<AnyKernel, string>();
const longest = 48;

/** Gives a kernel a name for people, unless it has one: nothing that is computed depends on it. */
export function named<K extends AnyKernel>(kernel: K, name: string): K {
  if (!names.has(kernel)) names.set(kernel, name);
  return kernel;
}

/** The name that a kernel was given, else its expressions, cut. */
export function kernelName(kernel: AnyKernel): string {
  const known = names.get(kernel);
  if (known !== undefined) return known;
  const text = kernel.outputs.map(toText).join('; ');
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}
