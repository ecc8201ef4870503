import { readFileSync } from 'node:fs';

type Cell = number | 'NaN' | 'Infinity' | '-Infinity' | '-0';

interface Entry {
  readonly name: string;
  readonly parameters: Readonly<Record<string, number>>;
  readonly y: readonly Cell[];
  readonly dParameters?: Readonly<Record<string, readonly Cell[]>>;
}
export interface GoldenActivation extends Entry {
  readonly grid: string;
  readonly x: readonly Cell[];
  readonly dy: readonly Cell[];
}
export interface GoldenGate extends Entry {
  readonly dGate: readonly Cell[];
  readonly dValue: readonly Cell[];
}
export interface GoldenRow {
  readonly name: string;
  readonly y: readonly (readonly Cell[])[];
  readonly jacobian: readonly (readonly (readonly Cell[])[])[];
}
interface Golden {
  readonly grids: Readonly<Record<string, readonly Cell[]>>;
  readonly activations: readonly GoldenActivation[];
  readonly pairs: { readonly gate: readonly Cell[]; readonly value: readonly Cell[] };
  readonly gates: readonly GoldenGate[];
  readonly vectors: readonly (readonly Cell[])[];
  readonly rows: readonly GoldenRow[];
}

/** Exact values by mpmath; see conformance/README.md. */
export const golden: Golden = JSON.parse(
  readFileSync(new URL('../golden/activations.json', import.meta.url), 'utf8'),
) as Golden;

export const numbers = (cells: readonly Cell[]): number[] => cells.map(Number);

/** The inputs of an entry: its grid and its own points. */
export const inputsOfEntry = (entry: GoldenActivation): number[] =>
  numbers([...(golden.grids[entry.grid] ?? []), ...entry.x]);
