import { parity, type RandomKey, rotations } from '../../base/random.js';
import { variable } from '../../scalar/expression.js';
import { expand } from '../../scalar/lower.js';
import { CPrinter } from '../../scalar/print-c.js';
import type { View } from '../device.js';
import { resource } from './resource.js';
import { ArgumentWriter, type KernelSource, type Launcher } from './runtime.js';

const numbersPerItem = 1024;
const itemsPerChunk = 16;
const writer = /* @__PURE__ */ new ArgumentWriter();

const sources = {
  uniform: () => randomSource('sluice_uniform', 0),
  normal: () => randomSource('sluice_normal', 1),
} as const;

export const randomSource = (name: string, normal: 0 | 1): KernelSource => ({
  name,
  code: [
    ...(normal === 1 ? logarithm() : []),
    ...[...macros, `#define NAME ${name}`, `#define NORMAL ${normal}`, resource('random.c')],
  ].join('\n'),
});

/** What normal numbers need of the logarithm, of which there is one expansion. */
function logarithm(): string[] {
  const x = variable('x');
  const { statements, results } = new CPrinter('float64').evaluate([expand(x.log())], new Map([[x, 'x']]));
  const text = ['static inline double normal_log(double x) {', ...statements, `return ${results[0]};`, '}'];
  return ['#ifndef SLUICE_NORMAL_LOG', '#define SLUICE_NORMAL_LOG', ...text, '#endif'];
}

const rounds = (numbers: readonly number[]): string => numbers.map((bits) => `ROUND(${bits})`).join(' ');

const macros = [
  `#define NUMBERS_PER_ITEM ${numbersPerItem}`,
  `#define THREEFRY_PARITY ${parity}u`,
  `#define THREEFRY_EVEN(ROUND) ${rounds(rotations.slice(0, 4))}`,
  `#define THREEFRY_ODD(ROUND) ${rounds(rotations.slice(4))}`,
];

/** Fills a contiguous view with numbers as `randomUniform` gives them, or within float32's rounding of `randomNormal`. */
export function fillRandom(
  launcher: Launcher,
  distribution: 'uniform' | 'normal',
  { k0, k1 }: RandomKey,
  output: View,
): void {
  const count = output.shape.reduce((product, size) => product * size, 1);
  writer.start().address(output).number(count).number(k0).number(k1);
  const kernel = launcher.kernel(distribution, sources[distribution]);
  launcher.launch(kernel, writer.words, Math.ceil(count / numbersPerItem), itemsPerChunk);
}
