import type { ColumnKernel } from '../../kernels/kernel.js';
import type { StorageType } from '../device.js';
import { type KernelSource, kernelSource } from './kernel-source.js';
import { resource } from './resource.js';
import { RowOperandText } from './row-operands.js';
import { RowPlan } from './row-plan.js';
import { TypedPrinter } from './typed-printer.js';

/** Columns that an item sums together: their sums stay in the nearest cache. */
export const columnsPerTile = 512;

/**
 * A column kernel in C: sums in float64 over blocks of rows. Work items are the tiles of the first block, then those of the
 * next; arguments as `writeOperands` writes them, then the rows of a block, the number of blocks, and the address of the
 * sums, [outputs, blocks, length].
 */
export function columnSource(kernel: ColumnKernel, types: readonly StorageType[]): KernelSource {
  const operands = new RowOperandText(kernel, types, kernel.outputs.length);
  const word = operands.nextWord;
  const sums = kernel.outputs.map((_, o) => `t${o}`);
  return kernelSource('column', (name) =>
    [
      resource('row-prelude.h'),
      `void ${name}(const double *args, int64_t begin, int64_t end, char *scratch) {`,
      ...operands.arguments,
      '(void)scratch;',
      `const int64_t rows_per_block = (int64_t)args[${word}], blocks = (int64_t)args[${word + 1}];`,
      `double *const sums = ADDRESS(double, args[${word + 2}]);`,
      `const int64_t tiles = (length + ${columnsPerTile - 1}) / ${columnsPerTile};`,
      'for (int64_t item = begin; item < end; item++) {',
      `const int64_t block = item / tiles, first = item % tiles * ${columnsPerTile};`,
      `const int64_t n = length - first < ${columnsPerTile} ? length - first : ${columnsPerTile};`,
      'const int64_t top = block * rows_per_block, bottom = rows - top < rows_per_block ? rows : top + rows_per_block;',
      ...sums.map((sum, o) => `double *const ${sum} = sums + (${o} * blocks + block) * length + first;`),
      `for (int64_t j = 0; j < n; j++) ${sums.map((sum) => `${sum}[j] = 0`).join(', ')};`,
      'for (int64_t i = top; i < bottom; i++) {',
      ...addRow(kernel, operands, sums),
      '}',
      '}',
      '}',
      '',
    ].join('\n'),
  );
}

/** Adds row i to the sums. */
function addRow(kernel: ColumnKernel, operands: RowOperandText, sums: readonly string[]): string[] {
  const { outputs, rowValues } = columnPlan(kernel);
  const printer = new TypedPrinter(operands.floats);
  const names = new Map(operands.constants);
  const entered = operands.enterRow(names, ' + first');
  const ahead = printer.print(rowValues, names).statements;
  const loads = operands.load(outputs, names, 'j', 'first + j');
  const { statements, results } = printer.print(outputs, names);
  return [
    ...entered,
    ...ahead,
    'SLUICE_INDEPENDENT',
    'for (int64_t j = 0; j < n; j++) {',
    ...loads,
    ...statements,
    ...sums.map((sum, o) => `${sum}[j] += ${results[o]};`),
    '}',
  ];
}

function columnPlan(kernel: ColumnKernel): { outputs: RowPlan['outputs']; rowValues: RowPlan['outputs'] } {
  const plan = new RowPlan(kernel);
  return { outputs: plan.outputs, rowValues: plan.rowValues(plan.outputs) };
}
