import type { Cell } from '../../activations/cells.js';
import type { Formula } from '../../activations/kinds.js';
import type { Listing } from '../../experiments/listing.js';
import type { Context, Register } from '../command.js';
import { type CommonOptions, common, repeatable } from '../options.js';
import { Output } from '../output.js';

interface ShowOptions extends CommonOptions {
  readonly param?: readonly string[];
}

export const registerShow: Register = (family, context) => {
  common(
    family
      .command('show')
      .description('All that is known of one formula.')
      .argument('<name>', 'a name, an alias, or a formula in x: "x*tanh(softplus(x))"')
      .addOption(repeatable('--param <name=value>', 'a parameter of the formula, or name=learned')),
  ).action(async (name: string, options: ShowOptions) => {
    const [{ cellOf, formulaOf }, output] = [await import('./arguments.js'), new Output(context.terminal, options)];
    const cell = cellOf(name, options.param);
    if (cell !== undefined) return showCell(cell, output);
    await show(formulaOf(name, options.param), output, context);
  });
};

async function show(formula: Formula, output: Output, { terminal }: Context): Promise<void> {
  const [{ derivativesOf, listingOf }, { costText, propertyLines }, { toLatex, toText }] = await Promise.all([
    import('../../experiments/listing.js'),
    import('../../experiments/describe-formula.js'),
    import('../../scalar/print.js'),
  ]);
  const listing = listingOf(formula);
  const latex = toLatex(formula.definition);
  const derivatives = Object.fromEntries(
    Object.entries(derivativesOf(formula)).map(([input, expression]) => [input, toText(expression)]),
  );
  output.result({ ...listing, latex, derivatives });
  if (output.json) return;
  const { kind, aliases, properties, cost } = listing;
  output.lines(`${output.style('bold', listing.name)}  ${kind === 'row' ? 'row function' : kind}`, '');
  output.panel([
    ['formula', listing.formula],
    ['LaTeX', latex],
    ...Object.entries(derivatives).map(([input, text]): [string, string] => [
      kind === 'row' ? `gradient by ${input}` : `derivative by ${input}`,
      text,
    ]),
    ['source', listing.source],
    ['also called', aliases.length === 0 ? '-' : aliases.join(', ')],
    ['parameters', parametersText(listing)],
    ...propertyLines(properties),
    ['cost of the value', costText(cost.value)],
    ['value and gradient', costText(cost.gradient)],
  ]);
  output.lines('', output.style('dim', `Properties are computed by scan and bisection, to ${properties.tolerance}.`));
  if (kind === 'row') return;
  const [{ curveOver }, { drawCurves }] = await Promise.all([
    import('../../experiments/curves.js'),
    import('./drawing.js'),
  ]);
  output.lines('', ...drawCurves([curveOver(formula, [-5, 5])], terminal));
}

async function showCell(cell: Cell, output: Output): Promise<void> {
  const [{ cellListing, formulasOf, stateDerivatives }, { costText }, { toLatex, toText }] = await Promise.all([
    import('../../experiments/cell-listing.js'),
    import('../../experiments/describe-formula.js'),
    import('../../scalar/print.js'),
  ]);
  const listing = cellListing(cell);
  const latex = Object.fromEntries(Object.entries(cell.outputs).map(([state, value]) => [state, toLatex(value)]));
  const derivatives = Object.fromEntries(stateDerivatives(cell).map(([name, value]) => [name, toText(value)]));
  output.result({ ...listing, latex, derivatives });
  const { properties, cost } = listing;
  output.lines(`${output.style('bold', listing.name)}  cell`, '');
  output.panel([
    ...formulasOf(cell),
    ...Object.entries(latex).map(([state, text]): [string, string] => [`LaTeX of ${state}'`, text]),
    ...Object.entries(derivatives),
    ['source', listing.source],
    ['gates', `${properties.gates.join(', ')}, in the order of the weights' rows`],
    ['states', properties.states.join(', ')],
    [
      'activations',
      Object.entries(properties.activations)
        .map((pair) => pair.join(' = '))
        .join(', '),
    ],
    ['cost of a step', costText(cost.value)],
    ['step and gradient', costText(cost.gradient)],
  ]);
}

function parametersText({ parameters, properties }: Listing): string {
  const texts = Object.entries(parameters).map(
    ([name, value]) => `${name} = ${value}${properties.learned.includes(name) ? ' (learned)' : ''}`,
  );
  return texts.length === 0 ? '-' : texts.join(', ');
}
