import type { RowKernel } from '../../kernels/kernel.js';
import type { Expression } from '../../scalar/expression.js';
import { operandsOf } from '../../scalar/match.js';
import type { StorageType } from '../device.js';
import { Fits } from './fits.js';
import { formulasInWords, type KernelSource, kernelSource } from './kernel-source.js';
import { RowOperandText } from './row-operands.js';
import {
  type Collector,
  collectors,
  type Effect,
  type Memory,
  Pass,
  type PassParts,
  rowPrelude,
  scratchOf,
  scratchText,
} from './row-pass.js';
import { chosen, type Pick, pickedSum, pickIn, type Selection } from './row-picks.js';
import { RowPlan } from './row-plan.js';
import { TypedPrinter } from './typed-printer.js';

export interface RowSource extends KernelSource {
  /** Bytes of scratch memory for rows of a length. */
  readonly scratchBytes: (length: number) => number;
}

/** A row kernel in C. Work items are rows; arguments as `writeOperands` writes them. */
export function rowSource(kernel: RowKernel, types: readonly StorageType[]): RowSource {
  const writer = new RowWriter(kernel, types);
  const { body, passes } = writer.write();
  const source = kernelSource(
    'row',
    (name) =>
      [
        rowPrelude(),
        ...passes.flatMap((pass, k) => pass.definition(`${name}_pass${k}`)),
        `void ${name}(const double *args, int64_t begin, int64_t end, char *scratch) {`,
        ...body(name),
        '}',
        '',
      ].join('\n'),
    () => `each row of ${formulasInWords(kernel.outputs)}`,
  );
  return { ...source, scratchBytes: writer.scratchBytes };
}

/** A line, or one that names a function of the kernel's. */
type Line = string | ((kernel: string) => readonly string[]);

class RowWriter {
  readonly #outputs: number;
  readonly #operands: RowOperandText;
  readonly #plan: RowPlan;
  readonly #fits: Fits;
  readonly #printer: TypedPrinter;
  readonly #passes: Pass[] = [];
  /** What passes keep of each element for later ones. */
  readonly #kept = new Map<Expression, Memory>();
  #results = 0;

  constructor(kernel: RowKernel, types: readonly StorageType[]) {
    this.#outputs = kernel.outputs.length;
    this.#operands = new RowOperandText(kernel, types, kernel.outputs.length);
    this.#plan = new RowPlan(kernel);
    this.#fits = new Fits(this.#operands.floats);
    this.#printer = new TypedPrinter(this.#fits);
  }

  readonly scratchBytes = (length: number): number =>
    [...this.#kept.values()].reduce((sum, { ctype }) => sum + scratchOf(ctype, length), 0);

  write(): { body: (name: string) => string[]; passes: readonly Pass[] } {
    const names = new Map(this.#operands.constants);
    const row: Line[] = [
      ...this.#operands.enterRow(names),
      ...this.#operands.nextRows(),
      ...Array.from({ length: this.#outputs }, (_, o) => `float *const y${o} = o${o} + i * ostep${o};`),
      ...this.#plan.levels.flatMap((level, pass) => this.#reduce(level, pass, names)),
      ...this.#output(names),
    ];
    const written = Math.max(
      0,
      this.#plan.outputs.findIndex((output) => !this.#plan.isRow(output)),
    );
    const body = (name: string): string[] => [
      ...this.#operands.arguments,
      'const int64_t whole = length - length % FLOATS;',
      '(void)rows, (void)whole;',
      ...[...this.#kept.values()].flatMap((memory) => [
        `char *const ${memory.name}_base = scratch;`,
        `scratch += ${scratchText(memory.ctype)};`,
      ]),
      '(void)scratch;',
      'for (int64_t i = begin; i < end; i++) {',
      ...[...this.#kept.values()].map(
        ({ name: kept, ctype }) =>
          `${ctype} *const ${kept} = (${ctype} *)in_step(${kept}_base, o${written} + i * ostep${written});`,
      ),
      ...row.flatMap((line) => (typeof line === 'string' ? [line] : line(name))),
      '}',
    ];
    return { body, passes: this.#passes };
  }

  /** Computes what has one value for the row. */
  #prepare(targets: readonly Expression[], names: Map<Expression, string>): readonly string[] {
    return this.#printer.print(this.#plan.rowValues(targets), names).statements;
  }

  /** A pass over the row with these effects, which has what it needs of the row computed ahead. */
  #pass(effects: readonly Effect[], names: Map<Expression, string>, ahead: PassParts['ahead'] = []): Line[] {
    const values = this.#plan.rowValues(effects.map(({ expression }) => expression));
    const { statements, results } = this.#printer.print(values, names);
    const pass = new Pass({
      fits: this.#fits,
      values,
      memory: new Map([...this.#operands.memory, ...this.#kept]),
      effects,
      ahead,
    });
    const place = this.#passes.push(pass) - 1;
    return [
      ...statements,
      '{',
      Pass.values(results),
      (kernel) => pass.call(`${kernel}_pass${place}`, 'length', 'whole', '0'),
      '}',
    ];
  }

  #reduce(level: readonly Expression[], pass: number, names: Map<Expression, string>): Line[] {
    const lines: Line[] = [];
    const collected: { readonly reduction: Expression; readonly name: string }[] = [];
    const effects: Effect[] = [];
    for (const reduction of level) {
      const selection = pickedSum(reduction, this.#plan.along);
      const [operand] = reduction.operands;
      const name = `a${this.#results++}`;
      if (selection !== undefined) lines.push(...this.#pickSum(reduction, selection, name, names));
      else if (operand !== undefined && reduction.node.kind === 'reduce') {
        const collector = collectorOf(reduction.node.reduction, operand, this.#fits);
        effects.push({ kind: 'collect', expression: operand, to: name, collector });
        collected.push({ reduction, name });
      }
    }
    const kept = this.#plan.kept[pass] ?? [];
    const direct = kept.length === 0 ? this.#reduceMemory(collected, names) : undefined;
    if (direct !== undefined) return [...lines, ...direct];
    const keeps = kept.map((expression, k) => {
      return { kind: 'store', expression, to: `b${this.#kept.size + k}`, ctype: this.#fits.ctype(expression) } as const;
    });
    for (const effect of effects) {
      if (effect.kind !== 'collect') continue;
      const { ctype } = collectors[effect.collector];
      lines.push(`${ctype} ${effect.to}[FLOATS];`, `${effect.collector}_start(${effect.to});`);
    }
    lines.push(...this.#pass([...effects, ...keeps], names, this.#aheadOf(pass)));
    for (const { expression, to: name, ctype } of keeps) this.#kept.set(expression, { name, ctype });
    effects.forEach((effect, k) => {
      const { reduction, name } = collected[k] ?? {};
      if (effect.kind !== 'collect' || reduction === undefined || name === undefined) return;
      lines.push(`const ${this.#fits.ctype(reduction)} ${name}_all = ${effect.collector}_end(${name});`);
      names.set(reduction, `${name}_all`);
    });
    return lines;
  }

  /** What the next row's first pass would wait for, and what the output writes. */
  #aheadOf(pass: number): PassParts['ahead'] {
    if (pass === 0) return [];
    const isLast = pass === this.#plan.levels.length;
    const written = this.#plan.outputs.flatMap((output, o) => (isLast || this.#plan.isRow(output) ? [] : [`y${o}`]));
    return [
      ...this.#operands.rows.map((name) => ({ name: `${name}_next`, isWritten: false })),
      ...written.map((name) => ({ name, isWritten: true })),
    ];
  }

  /** Reductions of nothing but what lies in memory. */
  #reduceMemory(
    collected: readonly { readonly reduction: Expression; readonly name: string }[],
    names: Map<Expression, string>,
  ): string[] | undefined {
    const lines: string[] = [];
    for (const { reduction, name } of collected) {
      const [operand] = reduction.operands;
      const memory = operand && this.#operands.memory.get(operand);
      if (memory?.ctype !== 'float' || reduction.node.kind !== 'reduce') return undefined;
      const call = reduction.node.reduction === 'sum' ? 'sum_floats' : 'max_floats';
      lines.push(`const ${this.#fits.ctype(reduction)} ${name}_all = ${call}(${memory.name}, length);`);
    }
    for (const { reduction, name } of collected) names.set(reduction, `${name}_all`);
    return lines;
  }

  /** The one term of a sum that selects one position. */
  #pickSum(reduction: Expression, { pick, then }: Selection, name: string, names: Map<Expression, string>): string[] {
    const { lines, index } = this.#find(pick, name, names);
    lines.push(...this.#prepare([then], names), `double ${name}_all = 0;`);
    lines.push(...this.#at(index, [{ expression: then, to: `${name}_all` }], names));
    names.set(reduction, `${name}_all`);
    return lines;
  }

  /** Where a pick's target stands in the row, -1 if nowhere. */
  #find({ target, bound }: Pick, name: string, names: Map<Expression, string>): { lines: string[]; index: string } {
    const [index, whole] = [`${name}_index`, `${name}_whole`];
    const { statements, results } = this.#printer.print([target], names);
    const isHere = `__builtin_fabs(${results[0]} - ${whole}) < ${bound} && 0 <= ${whole} && ${whole} < length`;
    const lines = [
      ...statements,
      `const double ${whole} = __builtin_rint(${results[0]});`,
      `const int64_t ${index} = ${isHere} ? (int64_t)${whole} : -1;`,
    ];
    return { lines, index };
  }

  /** Evaluates at one position, where it is in the row. */
  #at(
    index: string,
    wanted: readonly { expression: Expression; to: string }[],
    known: ReadonlyMap<Expression, string>,
  ): string[] {
    const names = new Map(known);
    for (const [expression, { name }] of this.#kept) names.set(expression, `${name}[${index}]`);
    const targets = wanted.map(({ expression }) => expression);
    const loads = this.#operands.load(targets, names, index);
    const { statements, results } = this.#printer.print(targets, names);
    const stores = wanted.map(({ to }, k) => `${to} = ${results[k]};`);
    return [`if (0 <= ${index}) {`, ...loads, ...statements, ...stores, '}'];
  }

  #output(names: Map<Expression, string>): Line[] {
    const { outputs, along } = this.#plan;
    const lines: Line[] = [];
    const elements: { readonly expression: Expression; readonly to: string }[] = [];
    outputs.forEach((expression, o) => {
      if (!this.#plan.isRow(expression)) elements.push({ expression, to: `y${o}` });
      else {
        const { statements, results } = this.#printer.print([expression], names);
        lines.push(...statements, `o${o}[i] = (float)${results[0]};`);
      }
    });
    if (elements.length === 0) return lines;
    const targets = elements.map(({ expression }) => expression);
    const pick = pickIn(targets, along);
    const effects = elements.map(({ expression, to }): Effect => {
      return {
        kind: 'store',
        expression: pick === undefined ? expression : chosen(expression, pick, false),
        to,
        ctype: 'float',
      };
    });
    const ahead = this.#aheadOf(this.#plan.levels.length);
    if (pick === undefined) return [...lines, ...this.#pass(effects, names, ahead)];
    // Ahead of the pass, which may write over what is read here.
    const picked = elements.map(({ expression, to }) => ({
      expression: chosen(expression, pick, true),
      to: `${to}_picked`,
    }));
    const { lines: found, index } = this.#find(pick, 'target', names);
    lines.push(
      ...found,
      ...this.#prepare(
        picked.map(({ expression }) => expression),
        names,
      ),
    );
    lines.push(...picked.map(({ to }) => `float ${to} = 0;`), ...this.#at(index, picked, names));
    lines.push(...this.#pass(effects, names, ahead));
    lines.push(`if (0 <= ${index}) {`, ...elements.map(({ to }) => `${to}[${index}] = ${to}_picked;`), '}');
    return lines;
  }
}

function collectorOf(reduction: 'sum' | 'maximum', operand: Expression, fits: Fits): Collector {
  if (reduction === 'maximum') return fits.isFloat(operand) ? 'maxf' : 'max';
  const [, , then, otherwise] = operandsOf(operand, 'select') ?? [];
  const isCount = [then, otherwise].every((branch) => branch?.value === 0 || branch?.value === 1);
  return isCount && fits.isFloat(operand) ? 'count' : 'sum';
}
