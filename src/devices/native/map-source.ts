import type { MapKernel } from '../../kernels/kernel.js';
import { type Expression, variable } from '../../scalar/expression.js';
import { CPrinter } from '../../scalar/print-c.js';
import type { StorageType } from '../device.js';
import { lowerToLanes } from '../lanes.js';
import { type KernelSource, kernelSource } from './kernel-source.js';

/** How an operand lies along the innermost axis: side by side, all the same one, or a stride apart. */
export type Spread = 'contiguous' | 'repeated' | 'strided';

export interface Slot {
  readonly type: StorageType;
  readonly spread: Spread;
}

/** Everything about the operands that the code depends on: the inputs in the kernel's order, then the outputs. */
export interface MapLayout {
  /** Axes around the innermost one. */
  readonly outer: number;
  readonly slots: readonly Slot[];
}

/** An operand in C: names of a pointer, of the stride along the innermost axis, and of a value that is loaded ahead. */
interface Operand extends Slot {
  readonly place: number;
  readonly ctype: 'float' | 'int32_t';
  readonly isOutput: boolean;
}

/**
 * A map kernel in C. Work items are elements, row by row. Arguments: the length of the innermost axis and of the outer ones,
 * from the outermost on; of each operand the address and the strides in elements, outermost first; scalars.
 */
export function mapSource(kernel: MapKernel, layout: MapLayout): KernelSource {
  const types = layout.slots.map(({ type }) => type);
  const lowered = lowerToLanes(kernel.outputs, types, kernel.weights);
  const printer = new CPrinter(lowered.type);
  const operands = layout.slots.map((slot, place): Operand => {
    const ctype = slot.type === 'float32' ? 'float' : 'int32_t';
    return { ...slot, place, ctype, isOutput: place >= kernel.inputs.length };
  });
  return kernelSource('map', (name) =>
    [
      `void ${name}(const double *args, int64_t begin, int64_t end, char *scratch) {`,
      '(void)scratch;',
      ...readArguments(kernel, layout.outer, operands, printer.type),
      'while (begin < end) {',
      ...enterRow(layout.outer, operands),
      ...operands.filter(isAhead).map((operand) => load(operand, printer.type, `p${operand.place}[0]`)),
      'SLUICE_INDEPENDENT',
      'for (int64_t i = 0; i < count; i++) {',
      ...evaluate(kernel, lowered.outputs, operands, printer),
      '}',
      'begin += count;',
      '}',
      '}',
      '',
    ].join('\n'),
  );
}

const isAhead = ({ isOutput, spread }: Operand): boolean => !isOutput && spread === 'repeated';

const load = ({ place }: Operand, type: string, from: string): string => `const ${type} x${place} = (${type})${from};`;

/** The arguments into locals: `length`, `size1`, …; `base0`, `stride0_0`, …; `s0`, …. */
function readArguments(kernel: MapKernel, outer: number, operands: readonly Operand[], type: string): string[] {
  let next = 0;
  const integer = (name: string): string => `const int64_t ${name} = (int64_t)args[${next++}];`;
  const lines = [integer('length')];
  for (let axis = 0; axis < outer; axis++) lines.push(integer(`size${axis}`));
  for (const { place, ctype } of operands) {
    lines.push(`${ctype} *const base${place} = (${ctype} *)(intptr_t)args[${next++}];`);
    for (let axis = 0; axis <= outer; axis++) lines.push(integer(`stride${place}_${axis}`));
  }
  kernel.scalars.forEach((_, i) => {
    lines.push(`const ${type} s${i} = (${type})args[${next++}];`);
  });
  return lines;
}

/** From `begin` on: `count` elements of one row, and where each operand has the first of them. */
function enterRow(outer: number, operands: readonly Operand[]): string[] {
  const lines =
    outer === 0
      ? ['const int64_t first = begin, count = end - begin;']
      : [
          'int64_t row = begin / length;',
          'const int64_t first = begin - row * length;',
          'const int64_t count = length - first < end - begin ? length - first : end - begin;',
        ];
  for (let axis = outer - 1; axis >= 0; axis--) {
    lines.push(`const int64_t i${axis} = ${axis > 0 ? `row % size${axis}` : 'row'};`);
    if (axis > 0) lines.push(`row /= size${axis};`);
  }
  for (const { place, ctype, spread } of operands) {
    const along = Array.from({ length: outer }, (_, axis) => ` + i${axis} * stride${place}_${axis}`).join('');
    const inner =
      spread === 'contiguous' ? ' + first' : spread === 'strided' ? ` + first * stride${place}_${outer}` : '';
    lines.push(`${ctype} *const p${place} = base${place}${along}${inner};`);
    if (spread === 'strided') lines.push(`const int64_t step${place} = stride${place}_${outer};`);
  }
  return lines;
}

/** Loads, the expressions, and stores: every load comes before every store, since an output may be an input. */
function evaluate(
  kernel: MapKernel,
  outputs: readonly Expression[],
  operands: readonly Operand[],
  printer: CPrinter,
): string[] {
  const { inputs, scalars } = kernel;
  const known = new Map<Expression, string>([
    ...inputs.map((name, i) => [variable(name), `x${i}`] as const),
    ...scalars.map((name, i) => [variable(name), `s${i}`] as const),
  ]);
  const { statements, results } = printer.evaluate(outputs, known);
  const element = ({ place, spread }: Operand): string =>
    spread === 'contiguous' ? `p${place}[i]` : spread === 'repeated' ? `p${place}[0]` : `p${place}[i * step${place}]`;
  return [
    ...operands
      .filter((operand) => !operand.isOutput && !isAhead(operand))
      .map((operand) => load(operand, printer.type, element(operand))),
    ...statements,
    ...operands.slice(inputs.length).map((operand, i) => {
      const value = operand.type === 'int32' ? `sluice_int(${results[i]})` : `(float)${results[i]}`;
      return `${element(operand)} = ${value};`;
    }),
  ];
}
