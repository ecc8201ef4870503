import type { Formula } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import type { Device } from '../../devices/device.js';
import type { Register } from '../command.js';
import { type CommonOptions, common, repeatable, withDevice } from '../options.js';
import { Output, singleText } from '../output.js';
import { UsageError } from '../usage.js';

interface EvalOptions extends CommonOptions {
  readonly x?: string;
  readonly gate?: string;
  readonly value?: string;
  readonly param?: readonly string[];
}

export const registerEval: Register = (family, context) => {
  const command = family
    .command('eval')
    .description('Values and derivatives at given inputs, as a device computes them.')
    .argument('<name>', 'a name, an alias, or a formula in x')
    .option('--x <numbers>', 'inputs: -1,0,2 or @file.json')
    .option('--gate <numbers>', "a gate's first input")
    .option('--value <numbers>', "a gate's second input")
    .addOption(repeatable('--param <name=value>', 'a parameter of the formula, also of one given by its text'));
  command.allowExcessArguments();
  common(command, 'device', 'threads').action(async (name: string, options: EvalOptions) => {
    const output = new Output(context.terminal, options);
    const { formulaOf } = await import('./arguments.js');
    const formula = formulaOf(name, options.param);
    refuseNumbers(formula, command.args.slice(1), options);
    const read = await inputsOf(formula, options);
    const result = await withDevice(output, options, (device) => evaluate(device, formula, read));
    show(output, result);
    output.result(result);
  });
};

/** Numbers come by a flag, in one word: those that stand alone would be taken for names. */
function refuseNumbers(formula: Formula, words: readonly string[], options: EvalOptions): void {
  const [first] = words;
  if (first === undefined) return;
  const [input = 'x'] = formula.inputs;
  const all = [options[input as 'x'], ...words].filter((word) => word !== undefined).join(',');
  throw new UsageError(
    new SluiceError('argument', {
      rule: `${formula.name} takes its inputs as ${formula.inputs.map((name) => `--${name}`).join(' and ')}`,
      received: first,
      remedy: `Write them with commas: --${input}=${all.replaceAll(/[\s,]+/g, ',')}.`,
    }),
  );
}

type Lists = readonly (readonly number[])[];
interface Inputs {
  /** One list for each input of the formula; for a row function one for each row. */
  readonly lists: Lists;
  readonly nested: boolean;
}

async function inputsOf(formula: Formula, options: EvalOptions): Promise<Inputs> {
  const { readNumbers } = await import('./arguments.js');
  const names = ['x', 'gate', 'value'] as const;
  const extra = names.filter((name) => options[name] !== undefined && !formula.inputs.includes(name));
  const missing = formula.inputs.filter((name) => options[name as 'x'] === undefined);
  if (extra.length > 0 || missing.length > 0) {
    throw new UsageError(
      new SluiceError('argument', {
        rule: `${formula.name} takes ${formula.inputs.map((name) => `--${name}`).join(' and ')}`,
        received:
          names
            .filter((name) => options[name] !== undefined)
            .map((name) => `--${name}`)
            .join(' and ') || 'none',
        remedy: `For example ${formula.inputs.map((name) => `--${name}=1,2`).join(' ')}.`,
      }),
    );
  }
  const given = await Promise.all(formula.inputs.map((name) => readNumbers(options[name as 'x'] ?? '', `--${name}`)));
  const [first] = given;
  if (formula.kind === 'row' && first !== undefined) return { lists: first.rows, nested: first.nested };
  if (given.some(({ nested }) => nested)) {
    throw new UsageError(`${formula.name} takes a list of numbers, not of lists.`);
  }
  const lists = given.map(({ rows }) => rows[0] ?? []);
  if (lists.some((list) => list.length !== lists[0]?.length)) {
    const lengths = lists.map((list) => list.length).join(' and ');
    throw new UsageError(`${formula.name} takes as many gates as values, received ${lengths}.`);
  }
  return { lists, nested: false };
}

async function evaluate(device: Device, formula: Formula, { lists, nested }: Inputs): Promise<Record<string, unknown>> {
  const { isElementwise, isRowFunction } = await import('../../activations/evaluate.js');
  const { evaluateFormula, evaluateRow } = await import('../../experiments/evaluate-formula.js');
  const { parametersOf } = await import('../../experiments/listing.js');
  const about = { name: formula.name, device: device.name, parameters: parametersOf(formula) };
  if (isRowFunction(formula)) {
    const rows = [];
    for (const row of lists) rows.push(await evaluateRow(device, formula, row));
    const unwrap = <T>(values: readonly T[]): T | readonly T[] | undefined => (nested ? values : values[0]);
    return {
      ...about,
      x: unwrap(lists),
      y: unwrap(rows.map(({ y }) => y)),
      jacobian: unwrap(rows.map(({ jacobian }) => jacobian)),
    };
  }
  if (!isElementwise(formula)) return about;
  const { y, derivatives } = await evaluateFormula(device, formula, lists);
  if (formula.kind === 'activation') return { ...about, x: lists[0], y, dy: derivatives[0] };
  return { ...about, gate: lists[0], value: lists[1], y, dGate: derivatives[0], dValue: derivatives[1] };
}

/** A column for each list of numbers; a Jacobian as a matrix below. */
function show(output: Output, result: Readonly<Record<string, unknown>>): void {
  const text = (value: unknown): string => (typeof value === 'number' ? singleText(value) : String(value));
  const { jacobian, ...lists } = result;
  const rows = Array.isArray(lists['y']) && Array.isArray(lists['y'][0]) ? lists['y'].length : undefined;
  for (let row = 0; row < (rows ?? 1); row++) {
    const columns = Object.entries(lists).flatMap(([title, values]): [string, unknown[]][] => {
      const list: unknown = rows === undefined || !Array.isArray(values) ? values : values[row];
      return Array.isArray(list) ? [[title, list]] : [];
    });
    const length = columns[0]?.[1].length ?? 0;
    output.table(
      columns.map(([title]) => ({ title, align: 'right' })),
      Array.from({ length }, (_, i) => columns.map(([, values]) => text(values[i]))),
    );
    const matrix: unknown = rows === undefined || !Array.isArray(jacobian) ? jacobian : jacobian[row];
    if (!Array.isArray(matrix)) continue;
    output.lines('', 'derivative of each output (down) by each input (across)');
    const cells = matrix.map((line: unknown) => (Array.isArray(line) ? line.map(text) : []));
    output.table(
      (cells[0] ?? []).map((_, j) => ({ title: `x${j + 1}`, align: 'right' })),
      cells,
    );
  }
}
