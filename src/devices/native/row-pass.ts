import { rowBuiltins } from '../../kernels/kernel.js';
import { type Expression, variable } from '../../scalar/expression.js';
import { pending } from '../../scalar/fusion.js';
import { CPrinter } from '../../scalar/print-c.js';
import { exponentialOf, type Fits } from './fits.js';
import { Lowering } from './typed-printer.js';

/** Where a value of each element lies: the name of a pointer to the row's first. */
export interface Memory {
  readonly name: string;
  readonly ctype: 'float' | 'double' | 'int32_t';
}

/** What collects a reduction, by the lanes of row-prelude.h. */
export const collectors = {
  sum: { ctype: 'double', combine: 'PLUS' },
  count: { ctype: 'float', combine: 'PLUS' },
  max: { ctype: 'double', combine: 'double_max' },
  maxf: { ctype: 'float', combine: 'float_max' },
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
}

interface Parameter extends Memory {
  readonly role: 'in' | 'out' | 'both' | Collector;
}

const halves = [0, 1] as const;
const atHalf = (half: number): string => (half === 0 ? 'i' : 'i + DOUBLES');
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
  readonly #floatNames = new Map<Expression, string>();
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
    const parameters = this.#parameters.map(
      ({ name: parameter, ctype, role }) => `, ${role === 'in' ? 'const ' : ''}${ctype} *${parameter}`,
    );
    return [
      `static __attribute__((noinline)) void ${name}(int64_t count, int64_t first, const double *values${parameters.join('')}) {`,
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
      'for (int64_t i = 0; i < count; i += FLOATS) {',
      ...this.#loads(),
      ...this.#floatStatements(),
      ...this.#doubleStatements(),
      '}',
      ...lanes.map(({ put }) => `${put};`),
    ];
  }

  /** Its call over a row of `length`, of which `whole` makes whole vectors; `values` is an array of the row's values. */
  call(name: string, length: string, whole: string, first: string): string[] {
    const rest = `(${length} - ${whole})`;
    const names = this.#parameters.map((parameter) => `, ${parameter.name}`).join('');
    const buffers = this.#parameters.map((parameter) => `, ${parameter.name}_rest`).join('');
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
      this.#floatNames.set(expression, `wf${k}`);
      return [...lines, `const floats wf${k} = floats_all((float)values[${k}]);`];
    });
  }

  #loads(): string[] {
    return [...this.#parts.memory].flatMap(([expression, { name, ctype }]) => {
      if (ctype !== 'float' || !this.#used.has(expression)) return [];
      this.#floatNames.set(expression, `${name}_at`);
      return [`const floats ${name}_at = floats_load(${name} + i);`];
    });
  }

  /** Everything that float32 holds, and where it is stored. */
  #floatStatements(): string[] {
    const lines: string[] = [];
    for (const expression of this.#used) {
      const isKnown = expression.value !== undefined || this.#floatNames.has(expression);
      if (isKnown || !this.#parts.fits.isFloat(expression)) continue;
      const exponential = exponentialOf(expression);
      if (exponential === undefined) {
        const { statements, results } = this.#floats.evaluate([expression], this.#floatNames);
        lines.push(...statements);
        this.#floatNames.set(expression, results[0] ?? '');
      } else {
        const operands = this.#floats.evaluate([exponential.a, exponential.b], this.#floatNames).results;
        const name = `e${this.#count++}`;
        lines.push(`const floats ${name} = floats_${exponential.name}(${operands.join(', ')});`);
        this.#floatNames.set(expression, name);
      }
    }
    return lines;
  }

  /** What takes float64, in two halves; then the effects: every load comes before every store that may be to an input. */
  #doubleStatements(): string[] {
    const { fits, effects, values, memory } = this.#parts;
    const wide = effects.filter((effect) => this.#isWide(effect)).map(({ expression }) => expression);
    const lowering = new Lowering(
      (expression) =>
        expression === position || fits.isFloat(expression) || values.includes(expression) || memory.has(expression),
    );
    const lowered = wide.map((expression) => lowering.lower(expression));
    const known = halves.map(() => new Map<Expression, string>());
    const loads: string[] = [];
    for (const [leaf, expression] of lowering.leaves) {
      const { lines, names } = this.#leaf(expression);
      loads.push(...lines);
      halves.forEach((half) => known[half]?.set(leaf, names[half] ?? ''));
    }
    const { statements, results } = this.#doubles.evaluateSide(lowered, known);
    const resultOf = (expression: Expression, half: number): string => results[half]?.[wide.indexOf(expression)] ?? '';
    const done = effects.flatMap((effect) =>
      this.#isWide(effect)
        ? halves.flatMap((half) => this.#affect(effect, resultOf(effect.expression, half), half))
        : this.#affect(
            effect,
            this.#floats.evaluate([effect.expression], this.#floatNames).results[0] ?? '',
            undefined,
          ),
    );
    return [...loads, ...statements, ...done];
  }

  /** Whether it takes the value as float64. */
  #isWide(effect: Effect): boolean {
    if (effect.kind === 'add' || !this.#parts.fits.isFloat(effect.expression)) return true;
    return effect.kind === 'collect' && collectors[effect.collector].ctype === 'double';
  }

  /** A value of float64 in both halves. */
  #leaf(expression: Expression): { lines: string[]; names: string[] } {
    const value = this.#parts.values.indexOf(expression);
    if (value >= 0) return { lines: [], names: halves.map(() => `w${value}`) };
    const at = halves.map((half) => `l${this.#count++}_${half}`);
    const declare = (text: (half: number) => string) => ({
      lines: halves.map((half) => `const doubles ${at[half]} = ${text(half)};`),
      names: at,
    });
    if (expression === position) return declare((half) => `doubles_from_position((double)(first + ${atHalf(half)}))`);
    const found = this.#parts.memory.get(expression);
    if (found !== undefined) {
      const load = { float: 'doubles_load', double: 'doubles_get', int32_t: 'doubles_load_int' }[found.ctype];
      return declare((half) => `${load}(${found.name} + ${atHalf(half)})`);
    }
    // By way of memory: taking a vector of floats apart costs more.
    const buffer = `u${this.#count++}`;
    const { lines, names } = declare((half) => `doubles_load(${buffer} + ${half} * DOUBLES)`);
    const store = `floats_store(${buffer}, ${this.#floatNames.get(expression)});`;
    return { lines: [`float ${buffer}[FLOATS];`, store, ...lines], names };
  }

  /** `half` is undefined for a vector of floats. */
  #affect(effect: Effect, value: string, half: number | undefined): string[] {
    const { to } = effect;
    const index = atHalf(half ?? 0);
    if (effect.kind === 'add') return [`doubles_put(${to} + ${index}, doubles_get(${to} + ${index}) + ${value});`];
    if (effect.kind === 'store') {
      if (half === undefined) return [`floats_store(${to} + i, ${value});`];
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
