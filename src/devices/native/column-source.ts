import type { ColumnKernel } from '../../kernels/kernel.js';
import type { StorageType } from '../device.js';
import { Fits } from './fits.js';
import { formulasInWords, type KernelSource, kernelSource } from './kernel-source.js';
import { RowOperandText } from './row-operands.js';
import { type Effect, Pass, rowPrelude } from './row-pass.js';
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
  const plan = new RowPlan(kernel);
  const fits = new Fits(operands.floats);
  const values = plan.rowValues(plan.outputs);
  const sums = plan.outputs.map((expression, o): Effect => ({ kind: 'add', expression, to: `t${o}` }));
  const pass = new Pass({ fits, values, memory: operands.memory, effects: sums });
  const names = new Map(operands.constants);
  const entered = operands.enterRow(names, ' + first');
  const { statements, results } = new TypedPrinter(fits).print(values, names);
  return kernelSource(
    'column',
    (name) =>
      [
        rowPrelude(),
        ...pass.definition(`${name}_row`),
        `void ${name}(const double *args, int64_t begin, int64_t end, char *scratch) {`,
        ...operands.arguments,
        `const int64_t rows_per_block = (int64_t)args[${word}], blocks = (int64_t)args[${word + 1}];`,
        `double *const sums = ADDRESS(double, args[${word + 2}]);`,
        `const int64_t tiles = (length + ${columnsPerTile - 1}) / ${columnsPerTile};`,
        '(void)scratch;',
        'for (int64_t item = begin; item < end; item++) {',
        `const int64_t block = item / tiles, first = item % tiles * ${columnsPerTile};`,
        `const int64_t n = length - first < ${columnsPerTile} ? length - first : ${columnsPerTile}, whole = n - n % FLOATS;`,
        'const int64_t top = block * rows_per_block, bottom = rows - top < rows_per_block ? rows : top + rows_per_block;',
        ...sums.map(({ to }, o) => `double *const ${to} = sums + (${o} * blocks + block) * length + first;`),
        `for (int64_t j = 0; j < n; j++) ${sums.map(({ to }) => `${to}[j] = 0`).join(', ')};`,
        'for (int64_t i = top; i < bottom; i++) {',
        ...entered,
        ...statements,
        Pass.values(results),
        ...pass.call(`${name}_row`, 'n', 'whole', 'first'),
        '}',
        '}',
        '}',
        '',
      ].join('\n'),
    () => `sums over rows of ${formulasInWords(kernel.outputs)}`,
  );
}
