import { writeFile } from 'node:fs/promises';
import { SluiceError } from '../../base/errors.js';
import type { Curve } from '../../experiments/curves.js';
import type { Register } from '../command.js';
import { type CommonOptions, common, repeatable } from '../options.js';
import { Output } from '../output.js';
import { asUsage, UsageError } from '../usage.js';

interface PlotOptions extends CommonOptions {
  readonly out?: string;
  readonly range: string;
  readonly param?: readonly string[];
}

export const registerPlot: Register = (family, context) => {
  common(
    family
      .command('plot')
      .description('Draws functions with their derivatives in the terminal, with --out as an SVG file too.')
      .argument('<name...>', 'names, aliases, or formulas in x')
      .option('--out <file>', 'write the curves, first and second derivatives to this SVG file')
      .option('--range <from:to>', 'the inputs to draw', '-5:5')
      .addOption(repeatable('--param <name=value>', 'a parameter, where one function is drawn')),
  ).action(async (names: readonly string[], options: PlotOptions) => {
    const output = new Output(context.terminal, options);
    const range = rangeOf(options.range);
    if (names.length > 1 && options.param !== undefined) {
      throw new UsageError('--param goes with one function: parameters of several would be mixed up.');
    }
    const [{ formulaOf }, { curveOver }] = await Promise.all([
      import('./arguments.js'),
      import('../../experiments/curves.js'),
    ]);
    const curves = names.map((name) => asUsage(() => curveOver(formulaOf(name, options.param), range)));
    if (options.out !== undefined) await writeSvg(options.out, curves);
    if (!output.json) {
      const { drawCurves } = await import('./drawing.js');
      output.lines(...drawCurves(curves, context.terminal));
    }
    if (options.out !== undefined) output.lines(`wrote ${options.out}`);
    output.result({ names: curves.map(({ label }) => label), range, file: options.out ?? null, curves });
  });
};

function rangeOf(text: string): [number, number] {
  const [from = '', to = '', ...rest] = text.split(':');
  const range: [number, number] = [Number(from), Number(to)];
  const valid = from.trim() !== '' && to.trim() !== '' && rest.length === 0;
  if (valid && range.every(Number.isFinite) && range[0] < range[1]) return range;
  throw new UsageError(`--range goes from a number to a larger one, as in -5:5; received ${JSON.stringify(text)}.`);
}

async function writeSvg(path: string, curves: readonly Curve[]): Promise<void> {
  const { plotSvg } = await import('../../experiments/plot-svg.js');
  const text = await plotSvg(curves);
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new SluiceError('filesystem', {
      rule: 'the file of --out can be written',
      received: path,
      remedy: cause instanceof Error ? `${cause.message}.` : 'Check the folder.',
      cause,
    });
  }
}
