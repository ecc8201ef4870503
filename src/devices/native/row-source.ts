import type { RowKernel } from '../../kernels/kernel.js';
import type { Expression, Reduction } from '../../scalar/expression.js';
import { pending } from '../../scalar/fusion.js';
import { operandsOf } from '../../scalar/match.js';
import type { StorageType } from '../device.js';
import { type KernelSource, kernelSource } from './kernel-source.js';
import { resource } from './resource.js';
import { RowOperandText } from './row-operands.js';
import { chosen, type Pick, pickedSum, pickIn, type Selection } from './row-picks.js';
import { RowPlan } from './row-plan.js';
import { TypedPrinter } from './typed-printer.js';

/** Elements that a pass computes before their reductions take them up: they are in the nearest cache then. */
const strip = 256;

export interface RowSource extends KernelSource {
  /** Bytes of scratch memory for rows of a length. */
  readonly scratchBytes: (length: number) => number;
}

/** A row kernel in C. Work items are rows; arguments as `writeOperands` writes them. */
export function rowSource(kernel: RowKernel, types: readonly StorageType[]): RowSource {
  const writer = new RowWriter(kernel, types);
  const body = writer.body();
  const source = kernelSource('row', (name) =>
    [
      resource('row-prelude.h'),
      `void ${name}(const double *args, int64_t begin, int64_t end, char *scratch) {`,
      ...body,
      '}',
      '',
    ].join('\n'),
  );
  return { ...source, scratchBytes: writer.scratchBytes };
}

/** What collects a reduction, by the type of what it reduces. */
const collectors: Record<Reduction, Record<'float' | 'double', { readonly state: string; readonly take: string }>> = {
  sum: {
    float: { state: 'sluice_sum', take: 'sluice_sum_floats' },
    double: { state: 'sluice_sum', take: 'sluice_sum_doubles' },
  },
  maximum: {
    float: { state: 'sluice_maxf', take: 'sluice_max_floats' },
    double: { state: 'sluice_max', take: 'sluice_max_doubles' },
  },
};

const counter = { state: 'double', take: 'sluice_count' };

/** Memory for a value of each element, of the row or of a strip. */
interface Store {
  readonly name: string;
  readonly ctype: 'float' | 'double';
  readonly extent: 'row' | 'strip';
}

interface Stored {
  readonly expression: Expression;
  readonly to: string;
}

interface Taken {
  readonly reduction: Expression;
  readonly operand: Expression;
  readonly name: string;
  readonly state: string;
  readonly take: string;
  readonly from: string | undefined;
  readonly store: Store | undefined;
}

class RowWriter {
  readonly #operands: RowOperandText;
  readonly #plan: RowPlan;
  readonly #printer: TypedPrinter;
  readonly #stores: Store[] = [];
  /** What earlier passes kept, and what this one does as well. */
  readonly #kept = new Map<Expression, Store>();
  readonly #keeping = new Map<Expression, Store>();
  #sums = 0;
  #picks = 0;

  constructor(kernel: RowKernel, types: readonly StorageType[]) {
    this.#operands = new RowOperandText(kernel, types, kernel.outputs.length);
    this.#plan = new RowPlan(kernel);
    this.#printer = new TypedPrinter(this.#operands.floats);
  }

  readonly scratchBytes = (length: number): number =>
    this.#stores.reduce((sum, store) => sum + widthOf(store) * (store.extent === 'row' ? padded(length) : strip), 0);

  body(): string[] {
    const names = new Map(this.#operands.constants);
    const row = [
      ...this.#operands.enterRow(names),
      ...this.#plan.levels.flatMap((level, pass) => this.#reduce(level, pass, names)),
      ...this.#output(names),
    ];
    return [
      ...this.#operands.arguments,
      '(void)rows;',
      '(void)length;',
      ...this.#stores.flatMap((store) => [
        `${store.ctype} *const ${store.name} = (${store.ctype} *)scratch;`,
        `scratch += ${widthOf(store)} * ${store.extent === 'row' ? '((length + 15) / 16 * 16)' : strip};`,
      ]),
      '(void)scratch;',
      'for (int64_t i = begin; i < end; i++) {',
      ...row,
      '}',
    ];
  }

  /** Computes ahead of a loop what has one value for the row. */
  #prepare(targets: readonly Expression[], names: Map<Expression, string>): readonly string[] {
    return this.#printer.print(this.#plan.rowValues(targets), names).statements;
  }

  #reduce(level: readonly Expression[], pass: number, names: Map<Expression, string>): string[] {
    const targets = this.#plan.targets(pass);
    const ahead = [...this.#prepare(targets, names)];
    const kept = (this.#plan.kept[pass] ?? []).map((expression) => ({ expression, store: this.#keep(expression) }));
    const picked = level.map((reduction) => ({ reduction, selection: pickedSum(reduction, this.#plan.along) }));
    const taken = this.#collect(picked.flatMap(({ reduction, selection }) => (selection ? [] : [reduction])));
    for (const { reduction, selection } of picked) {
      if (selection !== undefined) ahead.push(...this.#pickSum(reduction, selection, names));
    }
    const stored = [
      ...kept.map(({ expression, store }) => ({ expression, to: `${store.name}[at + j]` })),
      ...taken.flatMap(({ operand, store }) => (store ? [{ expression: operand, to: `${store.name}[j]` }] : [])),
    ];
    const take = (at: string, count: string): string[] =>
      taken.map(({ name, take, from, store }) => `${take}(&${name}, ${store?.name ?? `${from}${at}`}, ${count});`);
    const passes =
      stored.length === 0
        ? take('', 'length')
        : [
            `for (int64_t at = 0; at < length; at += ${strip}) {`,
            `const int64_t n = length - at < ${strip} ? length - at : ${strip};`,
            ...this.#loop(stored, names, 'at + j', 'n'),
            ...take(' + at', 'n'),
            '}',
          ];
    for (const { expression, store } of kept) this.#kept.set(expression, store);
    const results = taken.map(({ reduction, name, take }) => {
      names.set(reduction, `${name}_all`);
      return `const ${this.#printer.ctype(reduction)} ${name}_all = ${take}_end(&${name});`;
    });
    return [
      ...ahead,
      ...taken.map(({ state, name, take }) => `${state} ${name}; ${take}_start(&${name});`),
      ...passes,
      ...results,
    ];
  }

  /** What collects each reduction: from memory that has its operand, or from a strip of values to be stored there. */
  #collect(level: readonly Expression[]): Taken[] {
    const free = this.#stores.filter(({ extent }) => extent === 'strip');
    return level.flatMap((reduction): Taken[] => {
      const [operand] = reduction.operands;
      if (operand === undefined || reduction.node.kind !== 'reduce') return [];
      const ctype = this.#printer.ctype(operand);
      const from = this.#keeping.get(operand)?.name ?? this.#operands.pointerOf(operand);
      const isCount = reduction.node.reduction === 'sum' && isZeroOrOne(operand);
      const { state, take } = isCount ? counter : collectors[reduction.node.reduction][ctype];
      const name = `a${this.#sums++}`;
      if (from !== undefined) return [{ reduction, operand, name, state, take, from, store: undefined }];
      const known = free.findIndex((store) => store.ctype === ctype);
      const store = known < 0 ? this.#store(ctype, 'strip') : free.splice(known, 1)[0];
      return [{ reduction, operand, name, state, take, from, store }];
    });
  }

  #store(ctype: Store['ctype'], extent: Store['extent']): Store {
    const store = { name: `b${this.#stores.length}`, ctype, extent };
    this.#stores.push(store);
    return store;
  }

  /** Memory that this pass fills and later ones read. */
  #keep(expression: Expression): Store {
    const store = this.#store(this.#printer.ctype(expression), 'row');
    this.#keeping.set(expression, store);
    return store;
  }

  /** The one term of a sum that selects one position. */
  #pickSum(reduction: Expression, { pick, then }: Selection, names: Map<Expression, string>): string[] {
    const name = `a${this.#sums++}_all`;
    const { lines, index } = this.#find(pick, names);
    lines.push(`double ${name} = 0;`, ...this.#at(index, [{ expression: then, to: name }], names));
    names.set(reduction, name);
    return lines;
  }

  /** Where a pick's target stands in the row, -1 if nowhere. */
  #find({ target, bound }: Pick, names: Map<Expression, string>): { lines: string[]; index: string } {
    const index = `pick${this.#picks++}`;
    const { statements, results } = this.#printer.print([target], names);
    const whole = `${index}_whole`;
    const isHere = `__builtin_fabs(${results[0]} - ${whole}) < ${bound} && 0 <= ${whole} && ${whole} < length`;
    const lines = [
      ...statements,
      `const double ${whole} = __builtin_rint(${results[0]});`,
      `const int64_t ${index} = ${isHere} ? (int64_t)${whole} : -1;`,
    ];
    return { lines, index };
  }

  #output(names: Map<Expression, string>): string[] {
    const { outputs, along } = this.#plan;
    const elements = this.#plan.targets(this.#plan.levels.length);
    const pick = pickIn(elements, along);
    const elsewhere = pick === undefined ? elements : elements.map((output) => chosen(output, pick, false));
    const lines = [...this.#prepare([...outputs, ...elsewhere], names)];
    const places: string[] = [];
    outputs.forEach((expression, o) => {
      if (this.#plan.isRow(expression)) {
        lines.push(`o${o}[i] = (float)${this.#printer.print([expression], names).results[0]};`);
        return;
      }
      lines.push(`float *const y${o} = o${o} + i * ostep${o};`);
      places.push(`y${o}`);
    });
    if (elements.length === 0) return lines;
    const stored = elsewhere.map((expression, i) => ({ expression, to: `${places[i]}[j]` }));
    const loop = this.#loop(stored, names, 'j', 'length');
    if (pick === undefined) return [...lines, ...loop];
    // Ahead of the loop, which may write over what is read here.
    const found = this.#find(pick, names);
    const here = elements.map((output, i) => ({ expression: chosen(output, pick, true), to: `${places[i]}_picked` }));
    return [
      ...lines,
      ...found.lines,
      ...here.map(({ to }) => `float ${to} = 0;`),
      ...this.#at(found.index, here, names),
      ...loop,
      `if (0 <= ${found.index}) {`,
      ...places.map((place) => `${place}[${found.index}] = ${place}_picked;`),
      '}',
    ];
  }

  /** Evaluates at one position, where it is in the row. */
  #at(index: string, stored: readonly Stored[], names: ReadonlyMap<Expression, string>): string[] {
    return [`if (0 <= ${index}) {`, ...this.#evaluate(stored, names, index), '}'];
  }

  #loop(stored: readonly Stored[], names: ReadonlyMap<Expression, string>, index: string, count: string): string[] {
    return [
      'SLUICE_INDEPENDENT',
      `for (int64_t j = 0; j < ${count}; j++) {`,
      ...this.#evaluate(stored, names, index),
      '}',
    ];
  }

  /** One element; every load comes before every store, since an output may be an input. */
  #evaluate(stored: readonly Stored[], known: ReadonlyMap<Expression, string>, index: string): string[] {
    const targets = stored.map(({ expression }) => expression);
    const names = new Map(known);
    const used = new Set(pending(targets, names));
    const kept = [...this.#kept].filter(([expression]) => used.has(expression));
    const loads = kept.map(([expression, { name, ctype }]) => {
      names.set(expression, `${name}_at`);
      return `const ${ctype} ${name}_at = ${name}[${index}];`;
    });
    loads.push(...this.#operands.load(targets, names, index));
    const { statements, results } = this.#printer.print(targets, names);
    return [...loads, ...statements, ...stored.map(({ to }, i) => `${to} = ${results[i]};`)];
  }
}

/** A choice of 0 or 1, which float32 counts. */
function isZeroOrOne(expression: Expression): boolean {
  const [, , then, otherwise] = operandsOf(expression, 'select') ?? [];
  return [then, otherwise].every((branch) => branch?.value === 0 || branch?.value === 1);
}

const widthOf = ({ ctype }: Store): number => (ctype === 'float' ? 4 : 8);
/** Whole vectors, so that what lies behind is aligned as well. */
const padded = (length: number): number => 16 * Math.ceil(length / 16);
