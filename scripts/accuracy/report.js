/** docs/accuracy.md: what was swept and when, newest last. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';

const page = new URL('../../docs/accuracy.md', import.meta.url);

const introduction = `# Accuracy, swept

Appended by \`npm run accuracy\`. Each table holds the device that it names against a truth in float64, for the kernels as the
library runs them: the value alone, and the derivatives alone. A kernel computes in float32 lanes where a bound on its
rounding errors allows that, else in float64 lanes; the column says which. On \`wasm\` every input runs with and without fused
multiply-add (relaxed SIMD), and the worse of the two counts. Errors are in units of the last place of the exact
result, of which the smallest counts as 2^-128, so that the accuracy contract, max(4 ULP, 2^-126), is 4 everywhere.

- Truth "formula" ("interpreter" in older tables): the same expression in float64, before any expansion into polynomials; tests hold it against
  values of 25 digits from independent formulas. Its own error is some 1e-8 of these units.
- Truth "formula in C": the same formula by the C library's functions for vectors (4 ULP of float64), which finds what is worse
  than all before; what it finds counts as "formula" says.
- Inputs "all 2^32": every float32, NaNs and infinities included. "2^24": one at random of every 256 neighbours, and
  every power of two, zero and infinity; for a gate, each with a partner from the same sample.
- "NaN": inputs where one of the two is NaN and the other is not.
`;

const number = (value) =>
  Object.is(value, -0) ? '-0' : Number.isFinite(value) ? String(Number(value.toPrecision(9))) : String(value);
const place = (at) => (at.length === 0 ? '' : at.map(number).join(', '));
const inputsText = (bits) => (bits === 32 ? 'all 2^32' : `2^${bits}`);

/** @param {object[]} results one for each subject: name, kind, part, lanes, bits, truth, ulp, at, nanMismatches, nanAt, seconds */
export function table(results) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rows = results.map((result) =>
    line([
      result.name,
      result.part,
      result.lanes,
      inputsText(result.bits),
      result.truth,
      result.ulp.toFixed(3),
      place(result.at),
      result.nanMismatches === 0 ? '0' : `${result.nanMismatches} (${place(result.nanAt)})`,
    ]),
  );
  const titles = ['function', 'part', 'lanes', 'inputs', 'truth', 'worst ULP', 'at', 'NaN'];
  return [line(titles), line(['---', '---', '---', '---:', '---', '---:', '---', '---:']), ...rows].join('\n');
}

/** Adds a dated table to the page. */
export function append(results, { devices, minutes }) {
  const before = existsSync(page) ? readFileSync(page, 'utf8').trimEnd() : introduction.trimEnd();
  const [processor] = os.cpus();
  const parts = ['primitive', 'activation', 'gate'].flatMap((kind) => {
    const own = results.filter((result) => result.kind === kind);
    return own.length === 0 ? [] : [`### ${kind[0].toUpperCase()}${kind.slice(1)}s`, '', table(own), ''];
  });
  const worst = Math.max(...results.map(({ ulp }) => ulp));
  const mismatches = results.reduce((sum, { nanMismatches }) => sum + nanMismatches, 0);
  const text = [
    before,
    '',
    `## ${new Date().toISOString().slice(0, 10)}`,
    '',
    `Node ${process.versions.node}, ${processor?.model.trim() ?? 'unknown processor'}; ${devices.join(' and ')}; ${results.length} kernels,`,
    `${minutes.toFixed(0)} minutes of work. Worst of all: ${worst.toFixed(3)} ULP; NaN mismatches: ${mismatches}.`,
    '',
    ...parts,
  ];
  writeFileSync(page, `${text.join('\n').trimEnd()}\n`);
}
