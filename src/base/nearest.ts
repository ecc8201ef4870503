/** The edit distance between two texts (insertions, deletions, substitutions, swaps of neighbours). */
function distance(a: string, b: string): number {
  const rows: number[][] = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let j = 1; j <= b.length; j++) rows[0]?.push(j);
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(i - 2, j - 2) + 1);
      rows[i]?.push(best);
    }
  }
  return at(a.length, b.length);
}

/** A name without case and separators: `leaky_relu` and `LeakyReLU` are one. */
export const plainName = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/**
 * The name nearest to what was written, else one that begins so (from two letters on), or undefined when nothing is near
 * (more than 40 % of the letters differ).
 */
export function nearest(written: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let longer: string | undefined;
  const plain = plainName(written);
  let least = Number.POSITIVE_INFINITY;
  for (const name of names) {
    const d = distance(plain, plainName(name));
    if (d < least) [best, least] = [name, d];
    if (plain.length > 1 && plainName(name).startsWith(plain)) longer ??= name;
  }
  return least <= Math.max(1, 0.4 * written.length) ? best : longer;
}

/** The remedy sentence of an unknown name: the nearest one, else where to see them all. */
export function didYouMean(written: string, names: Iterable<string>, elsewhere: string): string {
  const near = nearest(written, names);
  return near === undefined ? elsewhere : `Did you mean ${JSON.stringify(near)}? ${elsewhere}`;
}
