import type { Formula } from '../../activations/kinds.js';
import { type CommonOptions, common, repeatable } from '../options.js';
import { Output } from '../output.js';
import type { Register } from '../program.js';
import type { Listing } from './list.js';

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
    const output = new Output(context.terminal, options);
    const [{ formulaOf }, { listingOf }] = await Promise.all([import('./arguments.js'), import('./list.js')]);
    const formula = formulaOf(name, options.param);
    const [listing, derivatives] = [await listingOf(formula), await derivativesOf(formula)];
    const { propertyLines } = await import('../../experiments/describe-formula.js');
    const { toLatex } = await import('../../scalar/print.js');
    const latex = toLatex(formula.definition);
    describe(output, listing, propertyLines(listing.properties), { latex, derivatives });
    if (!output.json && formula.kind !== 'row') {
      const { curveOver } = await import('../../experiments/curves.js');
      const { drawCurves } = await import('./drawing.js');
      output.lines('', ...drawCurves([curveOver(formula, [-5, 5])], context.terminal));
    }
    output.result({ ...listing, latex, derivatives });
  });
};

/** The derivative by each input, as text; a row function's is its gradient from the cotangent of its value. */
async function derivativesOf(formula: Formula): Promise<Record<string, string>> {
  const [{ gradient }, { toText }, { variable }] = await Promise.all([
    import('../../scalar/differentiate.js'),
    import('../../scalar/print.js'),
    import('../../scalar/expression.js'),
  ]);
  const isRow = formula.kind === 'row';
  const seed = { output: formula.definition, cotangent: isRow ? variable('cotangent') : 1 };
  const inputs = [...formula.inputs, ...formula.learned];
  const elements = new Set(isRow ? ['x', 'cotangent'] : []);
  const found = gradient([seed], inputs, elements);
  return Object.fromEntries(found.map((derivative, i) => [inputs[i] ?? '', toText(derivative)]));
}

function describe(
  output: Output,
  listing: Listing,
  latex: string,
  derivatives: Readonly<Record<string, string>>,
): void {
  const { name, kind, aliases, source, parameters, properties, cost } = listing;
  const values = Object.entries(parameters).map(
    ([key, value]) => `${key} = ${value}${properties.learned.includes(key) ? ' (learned)' : ''}`,
  );
  output.lines(`${output.style('bold', name)}  ${kind === 'row' ? 'row function' : kind}`, '');
  output.panel([
    ['formula', listing.formula],
    ['LaTeX', latex],
    ...Object.entries(derivatives).map(([input, text]): [string, string] => [
      kind === 'row' ? `gradient by ${input}` : `derivative by ${input}`,
      text,
    ]),
    ['source', source],
    ...(aliases.length === 0 ? [] : [['also called', aliases.join(', ')] as const]),
    ...(values.length === 0 ? [] : [['parameters', values.join(', ')] as const]),
    ...propertyLines(properties),
    ['cost of the value', costText(cost.value)],
    ['value and gradient', costText(cost.gradient)],
  ]);
  output.lines('', output.style('dim', `Properties are computed by scan and bisection, to ${properties.tolerance}.`));
}

const costText = ({ operations, special, exponentials }: Listing['cost']['value']): string =>
  `${operations} operations, ${special} special functions (${exponentials} exponentials) per element`;
