import type { MapKernel } from '../../kernels/kernel.js';
import { constant, type Expression, reachable, transform, variable, withOperands } from '../../scalar/expression.js';
import { CPrinter } from '../../scalar/print-c.js';
import { lowerToLanes } from '../lanes.js';
import type { Slot } from '../variants.js';
import { formulasInWords, type KernelSource, kernelSource } from './kernel-source.js';
import { copyWords, tiledRows } from './map-tiles.js';

interface MapSlot extends Slot {
  /** An output that goes to memory past the caches, from an address aligned to a line on. */
  readonly isStreamed?: boolean;
}

/** Everything about the operands that the code depends on: the inputs in the kernel's order, then the outputs. */
export interface MapLayout {
  /** Axes around the innermost one. */
  readonly outer: number;
  /** Vectors that a turn of the loop takes: several hide how long one operation waits for another, where rows are long. */
  readonly vectors: 1 | 4;
  readonly slots: readonly MapSlot[];
}

interface Operand extends MapSlot {
  readonly place: number;
  readonly isOutput: boolean;
}

/**
 * A map kernel in C. Work items are elements, row by row. Arguments: the length of the innermost axis and of the outer ones,
 * from the outermost on; of each operand the address and the strides in elements, outermost first; scalars.
 *
 * NAME_run computes whole turns of a row; what is left over at its end goes through it in buffers as long as a turn.
 */
export function mapSource(kernel: MapKernel, layout: MapLayout): KernelSource {
  const { outer, slots, vectors } = layout;
  const types = slots.map(({ type }) => type);
  const { type, outputs } = lowerToLanes(kernel, types);
  const operands = slots.map((slot, place): Operand => ({ ...slot, place, isOutput: place >= kernel.inputs.length }));
  const turn = `(${vectors} * ${type === 'float32' ? 'FLOATS' : 'DOUBLES'})`;
  const isTiled = outer > 0 && operands.every(({ spread }) => spread === 'contiguous');
  const named = operands.map((operand) => ({ ...operand, ctype: ctypeOf(operand) }));
  return kernelSource(
    'map',
    (name) =>
      [
        ...(isTiled ? [copyWords] : []),
        `static __attribute__((noinline, noclone)) void ${name}_run(${parameters(kernel, operands)}) {`,
        ...runVectors(kernel, outputs, operands, new CPrinter(type, 't', 'vector'), vectors),
        '}',
        `void ${name}(const double *args, int64_t begin, int64_t end, char *scratch) {`,
        '(void)scratch;',
        ...readArguments(kernel, outer, operands),
        ...(isTiled
          ? tiledRows(name, named, outer, turn, scalarNames(kernel))
          : eachRow(name, kernel, outer, operands, turn)),
        ...(operands.some(({ isStreamed }) => isStreamed) ? ['END_STREAM();'] : []),
        '}',
        '',
      ].join('\n'),
    () => `each element of ${formulasInWords(kernel.outputs)}`,
  );
}

/** Row by row: whole turns, then what is left. */
function eachRow(name: string, kernel: MapKernel, outer: number, operands: readonly Operand[], turn: string): string[] {
  return [
    ...firstRow(outer),
    'while (begin < end) {',
    'const int64_t count = length - first < end - begin ? length - first : end - begin;',
    ...operands.map((operand) => startOf(operand, outer)),
    `const int64_t whole = count - count % ${turn};`,
    `${name}_run(whole${operands.map(argument).join('')}${scalarNames(kernel)});`,
    ...runRest(name, kernel, operands, turn),
    'begin += count;',
    ...nextRow(outer),
    '}',
  ];
}

const ctypeOf = ({ type }: Slot): 'float' | 'int32_t' => (type === 'float32' ? 'float' : 'int32_t');
const scalarNames = ({ scalars }: MapKernel): string => scalars.map((_, i) => `, s${i}`).join('');
const argument = ({ place, spread }: Operand): string => `, p${place}${spread === 'strided' ? `, step${place}` : ''}`;

function parameters(kernel: MapKernel, operands: readonly Operand[]): string {
  const pointers = operands.map((operand) => {
    const { place, spread, isOutput } = operand;
    const step = spread === 'strided' ? `, const int64_t step${place}` : '';
    return `, ${isOutput ? '' : 'const '}${ctypeOf(operand)} *p${place}${step}`;
  });
  return `const int64_t count${pointers.join('')}${kernel.scalars.map((_, i) => `, const double s${i}`).join('')}`;
}

/** The arguments into locals: `length`, `size1`, …; `base0`, `stride0_0`, …, `step0`; `s0`, …. */
function readArguments(kernel: MapKernel, outer: number, operands: readonly Operand[]): string[] {
  let next = 0;
  const integer = (name: string): string => `const int64_t ${name} = (int64_t)args[${next++}];`;
  const lines = [integer('length')];
  for (let axis = 0; axis < outer; axis++) lines.push(integer(`size${axis}`));
  for (const operand of operands) {
    lines.push(`${ctypeOf(operand)} *const base${operand.place} = ADDRESS(${ctypeOf(operand)}, args[${next++}]);`);
    for (let axis = 0; axis < outer; axis++) lines.push(integer(`stride${operand.place}_${axis}`));
    lines.push(integer(`step${operand.place}`));
  }
  kernel.scalars.forEach((_, i) => {
    lines.push(`const double s${i} = args[${next++}];`);
  });
  return lines;
}

/** Where `begin` is: `first` along its row, and the row's index along each outer axis. */
function firstRow(outer: number): string[] {
  const lines = ['int64_t row = begin / length, first = begin - row * length;'];
  for (let axis = outer - 1; axis >= 0; axis--) {
    lines.push(`int64_t i${axis} = ${axis > 0 ? `row % size${axis}` : 'row'};`);
    if (axis > 0) lines.push(`row /= size${axis};`);
  }
  return [...lines, '(void)row;'];
}

/** Divisions would take longer than a short row. */
function nextRow(outer: number): string[] {
  const carries = Array.from({ length: outer }, (_, axis) =>
    axis > 0 ? `if (++i${axis} == size${axis}) { i${axis} = 0; ` : 'i0++; ',
  ).reverse();
  return ['first = 0;', ...(outer === 0 ? [] : [carries.join('') + '}'.repeat(outer - 1)])];
}

const startOf = (operand: Operand, outer: number): string => {
  const { place, spread } = operand;
  const along = Array.from({ length: outer }, (_, axis) => ` + i${axis} * stride${place}_${axis}`).join('');
  const inner = spread === 'contiguous' ? ' + first' : spread === 'strided' ? ` + first * step${place}` : '';
  return `${ctypeOf(operand)} *const p${place} = base${place}${along}${inner};`;
};

/** The last elements of a row, fewer than a turn, from and to buffers beside it. */
function runRest(name: string, kernel: MapKernel, operands: readonly Operand[], turn: string): string[] {
  const held = operands.filter(({ isOutput, spread }) => isOutput || spread !== 'repeated');
  const copy = ({ place, spread, isOutput }: Operand): string => {
    const [rest, at] = [`rest${place}`, `p${place} + whole`];
    if (spread === 'contiguous')
      return `memcpy(${isOutput ? `${at}, ${rest}` : `${rest}, ${at}`}, 4 * (count - whole));`;
    const element = spread === 'repeated' ? `p${place}[0]` : `p${place}[(whole + j) * step${place}]`;
    const [to, from] = isOutput ? [element, `${rest}[j]`] : [`${rest}[j]`, element];
    return `for (int64_t j = 0; j < count - whole; j++) ${to} = ${from};`;
  };
  const buffered = (operand: Operand): string =>
    held.includes(operand)
      ? `, rest${operand.place}${operand.spread === 'strided' ? ', 1' : ''}`
      : `, p${operand.place}`;
  return [
    'if (whole < count) {',
    ...held.map((operand) => `_Alignas(64) ${ctypeOf(operand)} rest${operand.place}[${turn}] = {0};`),
    ...held.filter(({ isOutput }) => !isOutput).map(copy),
    `${name}_run(${turn}${operands.map(buffered).join('')}${scalarNames(kernel)});`,
    ...held.filter(({ isOutput }) => isOutput).map(copy),
    '}',
  ];
}

/** Quotients by what is the same for all elements as products, in float64: one more rounding of 2^-53 is not seen. */
function withReciprocals(outputs: readonly Expression[], varies: ReadonlySet<Expression>): Expression[] {
  const done = new Map<Expression, Expression>();
  const isHeld = ({ node, operands: [a, b] }: Expression): boolean => {
    if (node.kind !== 'apply' || node.primitive !== 'div' || a === undefined || b === undefined) return false;
    return varies.has(a) && !varies.has(b);
  };
  const rebuild = (expression: Expression, operands: readonly Expression[]): Expression => {
    const [a, b] = operands;
    const isQuotient = isHeld(expression) && a !== undefined && b !== undefined;
    return isQuotient ? a.mul(constant(1).div(b)) : withOperands(expression, operands);
  };
  return outputs.map((output) => transform(output, rebuild, done));
}

/** Loads, the expressions, and stores: every load comes before every store, since an output may be an input. */
function runVectors(
  kernel: MapKernel,
  lowered: readonly Expression[],
  operands: readonly Operand[],
  printer: CPrinter,
  vectors: number,
): string[] {
  const isAhead = ({ isOutput, spread }: Operand): boolean => !isOutput && spread === 'repeated';
  const { type } = printer;
  const [one, width] = type === 'floats' ? (['float', 'FLOATS'] as const) : (['double', 'DOUBLES'] as const);
  const known = new Map(kernel.scalars.map((name, i) => [variable(name), `v${i}`]));
  kernel.inputs.forEach((name, i) => {
    if (operands[i]?.spread === 'repeated') known.set(variable(name), `x${i}`);
  });
  const outputs = type === 'doubles' ? withReciprocals(lowered, varying(lowered, known)) : lowered;
  const invariants = invariantsOf(outputs, known);
  const once = printer.evaluate(invariants, known);
  invariants.forEach((expression, i) => {
    known.set(expression, once.results[i] ?? '');
  });
  const copies = Array.from({ length: vectors }, (_, k) => k);
  const { statements, results } = printer.evaluateSide(
    outputs,
    copies.map((k) => {
      const varying = kernel.inputs.map((name, i) => [variable(name), `x${i}_${k}`] as const);
      return new Map([...varying, ...known]);
    }),
  );
  const place = (k: number): Place => ({ type, width, index: k === 0 ? 'i' : `i + ${k} * ${width}`, copy: k });
  return [
    ...kernel.scalars.map((_, i) => `const ${type} v${i} = ${type}_all((${one})s${i});`),
    ...operands
      .filter(isAhead)
      .map((operand) => `const ${type} x${operand.place} = ${type}_all(p${operand.place}[0]);`),
    ...once.statements,
    `for (int64_t i = 0; i < count; i += ${vectors} * ${width}) {`,
    ...(vectors === 1
      ? []
      : operands
          .filter(({ spread, isOutput, isStreamed }) => isOutput && spread === 'contiguous' && isStreamed !== true)
          .map(({ place }) => fetchAhead(place, `${vectors} * ${width}`))),
    ...operands
      .filter((operand) => !operand.isOutput && !isAhead(operand))
      .flatMap((operand) => copies.flatMap((k) => loadVector(operand, place(k)))),
    ...statements,
    ...operands
      .filter(({ isOutput }) => isOutput)
      .flatMap((operand, i) => copies.flatMap((k) => storeVector(operand, results[k]?.[i] ?? '', place(k)))),
    '}',
  ];
}

/** What differs from element to element, given the variables that do not. */
function varying(outputs: readonly Expression[], same: ReadonlyMap<Expression, unknown>): Set<Expression> {
  const varies = new Set<Expression>();
  for (const expression of reachable(outputs)) {
    const changes = expression.node.kind === 'variable' && !same.has(expression);
    if (changes || expression.operands.some((operand) => varies.has(operand))) varies.add(expression);
  }
  return varies;
}

/** What is the same for all elements of a row and used by what is not. */
function invariantsOf(outputs: readonly Expression[], same: ReadonlyMap<Expression, unknown>): Expression[] {
  const varies = varying(outputs, same);
  const used = new Set([...outputs, ...[...varies].flatMap(({ operands }) => operands)]);
  return [...used].filter((expression) => expression.node.kind === 'apply' && !varies.has(expression));
}

/** One of the vectors of a turn. */
interface Place {
  readonly type: string;
  readonly width: string;
  /** Of its first element. */
  readonly index: string;
  readonly copy: number;
}

/** Asks for the lines that a later turn writes: a processor guesses which are read next, but not which are written. */
const fetchAhead = (place: number, turn: string): string =>
  `for (int j = 0; j < ${turn}; j += 16) __builtin_prefetch(p${place} + i + 512 + j, 1);`;

function loadVector(operand: Operand, { type, width, index, copy }: Place): string[] {
  const { place, spread, type: storage } = operand;
  const load = `const ${type} x${place}_${copy} = ${type}_load${storage === 'int32' ? '_int' : ''}`;
  if (spread === 'contiguous') return [`${load}(p${place} + ${index});`];
  const buffer = `g${place}_${copy}`;
  return [
    `${ctypeOf(operand)} ${buffer}[${width}];`,
    `for (int j = 0; j < ${width}; j++) ${buffer}[j] = p${place}[(${index} + j) * step${place}];`,
    `${load}(${buffer});`,
  ];
}

function storeVector(operand: Operand, value: string, { type, width, index, copy }: Place): string[] {
  const { place, spread, type: storage, isStreamed } = operand;
  const store = `${type}_${isStreamed === true ? 'stream' : 'store'}${storage === 'int32' ? '_int' : ''}`;
  if (spread === 'contiguous') return [`${store}(p${place} + ${index}, ${value});`];
  const buffer = `g${place}_${copy}`;
  return [
    `${ctypeOf(operand)} ${buffer}[${width}];`,
    `${store}(${buffer}, ${value});`,
    `for (int j = 0; j < ${width}; j++) p${place}[(${index} + j) * ${spread === 'strided' ? `step${place}` : '0'}] = ${buffer}[j];`,
  ];
}
