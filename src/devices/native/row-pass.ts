import { rowBuiltins } from '../../kernels/kernel.js';
import { type Expression, variable } from '../../scalar/expression.js';
import { pending } from '../../scalar/fusion.js';
import { CPrinter } from '../../scalar/print-c.js';
import { exponentialOf, type Fits } from './fits.js';
import { defines } from './kernel-source.js';
import { resource } from './resource.js';
import { Lowering } from './typed-printer.js';

/** Where a value of each element lies: the name of a pointer to the row's first. */
export interface Memory {
  readonly name: string;
  readonly ctype: 'float' | 'double' | 'int32_t';
}

/** What collects a reduction, by the lanes of row-prelude.h. */
export const collectors = {
  sum: { ctype: 'double' },
  count: { ctype: 'float' },
  max: { ctype: 'double' },
  maxf: { ctype: 'float' },
} as const;
export type Collector = keyof typeof collectors;

/** What becomes of the values of a pass: kept in memory, added to what memory has, or collected in lanes. */
export type Effect = { readonly expression: Expression; readonly to: string } & (
  | { readonly kind: 'store'; readonly ctype: 'float' | 'double' }
  | { readonly kind: 'add' }
  | { readonly kind: 'collect'; readonly collector: Collector }
);

/** Parts of a pass that its text and its calls share. */
export interface PassParts {
  readonly fits: Fits;
  /** What has one value for the row, in the order of `values`. */
  readonly values: readonly Expression[];
  readonly memory: ReadonlyMap<Expression, Memory>;
  readonly effects: readonly Effect[];
  /** Rows of floats that memory is to bring while exponentials are computed: read or written by what comes next. */
  readonly ahead?: readonly { readonly name: string; readonly isWritten: boolean }[];
}

interface Parameter extends Memory {
  readonly role: 'in' | 'out' | 'both' | Collector;
}

const halves = [0, 1] as const;
/** Vectors of floats that a turn with exponentials takes. */
const sideBySide = 4;
const page = 4096;
const rowStep = 16;

/** What row and column kernels are made of beside prelude.h. */
export const rowPrelude = (): string =>
  [defines({ PAGE: page, ROW_STEP: rowStep, SIDE_BY_SIDE: sideBySide }), resource('row-prelude.h')].join('\n');

/** Bytes of scratch memory for a row in memory: whole vectors, so that what lies behind is aligned as well. */
export const scratchOf = (ctype: Memory['ctype'], length: number): number =>
  widthOf(ctype) * rowStep * Math.ceil(length / rowStep) + page;
/** The same in C, of `length`. */
export const scratchText = (ctype: Memory['ctype']): string =>
  `${widthOf(ctype)} * ((length + ROW_STEP - 1) / ROW_STEP * ROW_STEP) + PAGE`;
const widthOf = (ctype: Memory['ctype']): number => (ctype === 'double' ? 8 : 4);
const indexOf = (k: number, half: number): string => `i + ${k} * FLOATS + ${half} * DOUBLES`;
const position = variable(rowBuiltins.position);

/**
 * One pass over a row in C: whole vectors of floats, and for what needs float64 two vectors of doubles side by side. The
 * end of a row goes through it in buffers as long as a vector.
 */
export class Pass {
  readonly #parts: PassParts;
  readonly #used: ReadonlySet<Expression>;
  readonly #parameters: readonly Parameter[];
  readonly #floats = new CPrinter('float32', 'f', 'vector');
  readonly #doubles = new CPrinter('float64', 'd', 'vector');
  /** What has one value for the row, as vectors of floats. */
  readonly #floatValues = new Map<Expression, string>();
  readonly #body: readonly string[];
  #count = 0;

  constructor(parts: PassParts) {
    this.#parts = parts;
    const ends = new Set([...parts.values, ...parts.memory.keys()]);
    const targets = parts.effects.map(({ expression }) => expression);
    this.#used = new Set([
      ...pending(targets, new Map([...ends].map((end) => [end, true]))),
      ...neededEnds(targets, ends),
    ]);
    this.#parameters = [
      ...[...parts.memory].flatMap(([expression, memory]): Parameter[] =>
        this.#used.has(expression) ? [{ ...memory, role: 'in' }] : [],
      ),
      ...parts.effects.map(parameterOf),
    ];
    this.#body = this.#write();
  }

  /** The function `name`. */
  definition(name: string): string[] {
    const ahead = this.#ahead.map((row) => `, const float *${row.name}`);
    const parameters = this.#parameters.map(
      ({ name: parameter, ctype, role }) => `, ${role === 'in' ? 'const ' : ''}${ctype} *${parameter}`,
    );
    // Short rows wait for calls; exponentials are long, and are to be compiled once.
    const kind = this.#hasExponential() ? 'PASS' : 'INLINE void';
    return [
      `${kind} ${name}(int64_t count, int64_t first, const double *values${[...ahead, ...parameters].join('')}) {`,
      ...this.#body,
      '}',
    ];
  }

  #write(): string[] {
    const states = this.#parts.effects.flatMap((effect) => (effect.kind === 'collect' ? [effect] : []));
    const lanes = states.flatMap(({ to, collector }) => lanesOf(to, collector));
    return [
      '(void)first, (void)values;',
      ...this.#splats(),
      ...lanes.map(({ vector, get }) => `${vector} = ${get};`),
      'int64_t i = 0;',
      ...(this.#hasExponential() ? this.#loop(sideBySide) : []),
      ...this.#loop(1),
      ...lanes.map(({ put }) => `${put};`),
    ];
  }

  /** The array `values` of a call, given what holds each. */
  static values(results: readonly string[]): string {
    return `const double values[] = {${results.length > 0 ? results.join(', ') : '0'}};`;
  }

  /** Its call over a row of `length`, of which `whole` makes whole vectors; `values` is an array of the row's values. */
  call(name: string, length: string, whole: string, first: string): string[] {
    const rest = `(${length} - ${whole})`;
    const ahead = this.#ahead.map((row) => `, ${row.name}`).join('');
    const names = ahead + this.#parameters.map((parameter) => `, ${parameter.name}`).join('');
    const buffers = ahead + this.#parameters.map((parameter) => `, ${parameter.name}_rest`).join('');
    const bytes = ({ ctype }: Memory): string => `sizeof(${ctype}) * (size_t)${rest}`;
    return [
      `${name}(${whole}, ${first}, values${names});`,
      `if (${whole} < ${length}) {`,
      ...this.#parameters.flatMap((parameter) => {
        const { name: memory, ctype, role } = parameter;
        const lines = [`${ctype} ${memory}_rest[FLOATS] = {0};`];
        if (role === 'in' || role === 'both')
          lines.push(`memcpy(${memory}_rest, ${memory} + ${whole}, ${bytes(parameter)});`);
        else if (role !== 'out') lines.push(`${role}_start(${memory}_rest);`);
        return lines;
      }),
      `${name}(FLOATS, ${first} + ${whole}, values${buffers});`,
      ...this.#parameters.flatMap((parameter) => {
        const { name: memory, role } = parameter;
        if (role === 'in') return [];
        if (role === 'out' || role === 'both')
          return [`memcpy(${memory} + ${whole}, ${memory}_rest, ${bytes(parameter)});`];
        return [`${role}_merge(${memory}, ${memory}_rest, ${rest});`];
      }),
      '}',
    ];
  }

  /** The values of the row in every lane. */
  #splats(): string[] {
    return this.#parts.values.flatMap((expression, k) => {
      const lines = [`const doubles w${k} = doubles_all(values[${k}]);`];
      if (!this.#parts.fits.isFloat(expression)) return lines;
      this.#floatValues.set(expression, `wf${k}`);
      return [...lines, `const floats wf${k} = floats_all((float)values[${k}]);`];
    });
  }

  get #ahead(): NonNullable<PassParts['ahead']> {
    return this.#hasExponential() ? (this.#parts.ahead ?? []) : [];
  }

  /** Worth taking several vectors at a time: one alone waits for its own steps. */
  #hasExponential(): boolean {
    const { fits, memory, values } = this.#parts;
    const isComputed = (expression: Expression): boolean => !memory.has(expression) && !values.includes(expression);
    return [...this.#used].some(
      (expression) => fits.isFloat(expression) && isComputed(expression) && exponentialOf(expression) !== undefined,
    );
  }

  #loop(copies: number): string[] {
    const names = Array.from({ length: copies }, () => new Map(this.#floatValues));
    const prefetches = this.#ahead.flatMap(({ name, isWritten }) =>
      names.map((_, k) => `__builtin_prefetch(${name} + i + ${k} * FLOATS, ${isWritten ? 1 : 0});`),
    );
    return [
      `for (; i + ${copies} * FLOATS <= count; i += ${copies} * FLOATS) {`,
      ...prefetches,
      ...this.#loads(names),
      ...this.#floatStatements(names),
      ...this.#doubleStatements(names),
      '}',
    ];
  }

  #loads(names: readonly Map<Expression, string>[]): string[] {
    return [...this.#parts.memory].flatMap(([expression, { name, ctype }]) => {
      if (ctype !== 'float' || !this.#used.has(expression)) return [];
      return names.map((known, k) => {
        known.set(expression, `${name}_at${k}`);
        return `const floats ${name}_at${k} = floats_load(${name} + i + ${k} * FLOATS);`;
      });
    });
  }

  /** Everything that float32 holds. */
  #floatStatements(names: readonly Map<Expression, string>[]): string[] {
    const lines: string[] = [];
    for (const expression of this.#used) {
      const isKnown = expression.value !== undefined || names[0]?.has(expression) === true;
      if (isKnown || !this.#parts.fits.isFloat(expression)) continue;
      const exponential = exponentialOf(expression);
      if (exponential === undefined) {
        const { statements, results } = this.#floats.evaluateSide([expression], names);
        lines.push(...statements);
        for (const [k, known] of names.entries()) known.set(expression, results[k]?.[0] ?? '');
      } else {
        const { results } = this.#floats.evaluateSide([exponential.a, exponential.b], names);
        const name = `e${this.#count++}`;
        const array = (place: number): string => `{${results.map((operands) => operands[place]).join(', ')}}`;
        lines.push(
          `const floats ${name}_a[] = ${array(0)}, ${name}_b[] = ${array(1)};`,
          `floats ${name}[${names.length}];`,
          `floats_${exponential.name}(${names.length}, ${name}, ${name}_a, ${name}_b);`,
        );
        for (const [k, known] of names.entries()) known.set(expression, `${name}[${k}]`);
      }
    }
    return lines;
  }

  /**
   * What takes float64, two halves of a vector side by side; then the effects: every load comes before every store that
   * may be to an input.
   */
  #doubleStatements(names: readonly ReadonlyMap<Expression, string>[]): string[] {
    const { fits, effects, values, memory } = this.#parts;
    const wide = effects.filter((effect) => this.#isWide(effect)).map(({ expression }) => expression);
    const lowering = new Lowering(
      (expression) =>
        expression === position || fits.isFloat(expression) || values.includes(expression) || memory.has(expression),
    );
    const lowered = wide.map((expression) => lowering.lower(expression));
    const done: string[] = [];
    const lines: string[] = [];
    names.forEach((floats, k) => {
      const known = halves.map(() => new Map<Expression, string>());
      for (const [leaf, expression] of lowering.leaves) {
        const loaded = this.#leaf(expression, floats, k);
        lines.push(...loaded.lines);
        for (const half of halves) known[half]?.set(leaf, loaded.names[half] ?? '');
      }
      const { statements, results } = this.#doubles.evaluateSide(lowered, known);
      lines.push(...statements);
      for (const effect of effects) {
        const place = wide.indexOf(effect.expression);
        if (this.#isWide(effect)) {
          for (const half of halves) done.push(...this.#affect(effect, results[half]?.[place] ?? '', k, half));
        } else
          done.push(...this.#affect(effect, this.#floats.evaluate([effect.expression], floats).results[0] ?? '', k));
      }
    });
    return [...lines, ...done];
  }

  /** Whether it takes the value as float64. */
  #isWide(effect: Effect): boolean {
    if (effect.kind === 'add' || !this.#parts.fits.isFloat(effect.expression)) return true;
    return effect.kind === 'collect' && collectors[effect.collector].ctype === 'double';
  }

  /** A value of float64 in both halves of vector k. */
  #leaf(
    expression: Expression,
    floats: ReadonlyMap<Expression, string>,
    k: number,
  ): { lines: string[]; names: string[] } {
    const value = this.#parts.values.indexOf(expression);
    if (value >= 0) return { lines: [], names: halves.map(() => `w${value}`) };
    const name = `l${this.#count++}`;
    const declare = (text: (half: number) => string) => ({
      lines: halves.map((half) => `const doubles ${name}_${half} = ${text(half)};`),
      names: halves.map((half) => `${name}_${half}`),
    });
    if (expression === position)
      return declare((half) => `doubles_from_position((double)(first + ${indexOf(k, half)}))`);
    const found = this.#parts.memory.get(expression);
    if (found !== undefined) {
      const load = { float: 'doubles_load', double: 'doubles_get', int32_t: 'doubles_load_int' }[found.ctype];
      return declare((half) => `${load}(${found.name} + ${indexOf(k, half)})`);
    }
    // By way of memory: taking a vector of floats apart costs more.
    const { lines, names } = declare((half) => `doubles_load(${name}_floats + ${half} * DOUBLES)`);
    return {
      lines: [`float ${name}_floats[FLOATS];`, `floats_store(${name}_floats, ${floats.get(expression)});`, ...lines],
      names,
    };
  }

  /** A vector of floats, or half of one as doubles. */
  #affect(effect: Effect, value: string, k: number, half?: number): string[] {
    const { to } = effect;
    const index = indexOf(k, half ?? 0);
    if (effect.kind === 'add') return [`doubles_put(${to} + ${index}, doubles_get(${to} + ${index}) + ${value});`];
    if (effect.kind === 'store') {
      if (half === undefined) return [`floats_store(${to} + ${index}, ${value});`];
      return [`${effect.ctype === 'float' ? 'doubles_store' : 'doubles_put'}(${to} + ${index}, ${value});`];
    }
    const lanes = `${to}_${half ?? 0}`;
    const isMaximum = effect.collector === 'max' || effect.collector === 'maxf';
    const call = half === undefined ? 'floats_max' : 'doubles_max';
    return [`${lanes} = ${isMaximum ? `${call}(${lanes}, ${value})` : `${lanes} + ${value}`};`];
  }
}

function parameterOf(effect: Effect): Parameter {
  const { kind, to: name } = effect;
  if (kind === 'store') return { name, ctype: effect.ctype, role: 'out' };
  if (kind === 'add') return { name, ctype: 'double', role: 'both' };
  return { name, ctype: collectors[effect.collector].ctype, role: effect.collector };
}

/** The vectors that hold a collector's lanes during a pass, and how they come from memory and go back. */
function lanesOf(to: string, collector: Collector): { vector: string; get: string; put: string }[] {
  if (collectors[collector].ctype === 'float')
    return [{ vector: `floats ${to}_0`, get: `floats_load(${to})`, put: `floats_store(${to}, ${to}_0)` }];
  return halves.map((half) => {
    const place = half === 0 ? to : `${to} + DOUBLES`;
    return {
      vector: `doubles ${to}_${half}`,
      get: `doubles_get(${place})`,
      put: `doubles_put(${place}, ${to}_${half})`,
    };
  });
}

/** Those of the ends that the targets lead to. */
function neededEnds(targets: readonly Expression[], ends: ReadonlySet<Expression>): Expression[] {
  const found = new Set<Expression>();
  const visited = new Set<Expression>();
  const visit = (expression: Expression): void => {
    if (visited.has(expression)) return;
    visited.add(expression);
    if (ends.has(expression)) found.add(expression);
    else for (const operand of expression.operands) visit(operand);
  };
  for (const target of targets) visit(target);
  return [...found];
}
