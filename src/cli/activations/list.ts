import { Option } from 'commander';
import type { Formula, Kind } from '../../activations/kinds.js';
import type { FormulaCosts, Properties } from '../../activations/properties.js';
import { type CommonOptions, common } from '../options.js';
import { brief, Output } from '../output.js';
import type { Register } from '../program.js';

interface ListOptions extends CommonOptions {
  readonly kind?: Kind;
}

/** A formula of the catalogue as scripts see it. */
export interface Listing {
  readonly name: string;
  readonly kind: Kind;
  readonly aliases: readonly string[];
  /** In the inputs and the parameters, readable by the parser. */
  readonly formula: string;
  readonly source: string;
  readonly parameters: Readonly<Record<string, number>>;
  readonly properties: Properties & { readonly learned: readonly string[]; readonly tolerance: number };
  readonly cost: FormulaCosts;
}

export const registerList: Register = (family, context) => {
  common(
    family
      .command('list')
      .description('Every formula with its properties and its cost, computed from its expression.')
      .addOption(new Option('--kind <kind>', 'only these').choices(['activation', 'gate', 'row'])),
  ).action(async (options: ListOptions) => {
    const output = new Output(context.terminal, options);
    const { catalogue } = await import('../../activations/catalogue.js');
    const formulas = catalogue().filter(({ kind }) => options.kind === undefined || kind === options.kind);
    const listings = await Promise.all(formulas.map(listingOf));
    output.table(
      [
        { title: 'name' },
        { title: 'kind' },
        { title: 'range' },
        { title: 'monotonic' },
        { title: 'special', align: 'right' },
        { title: 'formula' },
      ],
      listings.map((listing) => [
        listing.name,
        listing.kind,
        rangeOf(listing),
        monotonicOf(listing),
        String(listing.cost.value.special),
        listing.formula,
      ]),
    );
    output.lines('', `${listings.length} formulas; "special" counts special functions per element.`);
    output.lines('sluice activations show NAME says all that is known of one.');
    output.result(listings);
  });
};

/** All that `list --json` and `show --json` say of a formula. */
export async function listingOf(formula: Formula): Promise<Listing> {
  const { costsOf, propertiesOf, propertyTolerance } = await import('../../activations/properties.js');
  const { toText } = await import('../../scalar/print.js');
  const { parametersOf } = await import('./arguments.js');
  const { name, kind, aliases, source, learned } = formula;
  return {
    name,
    kind,
    aliases,
    formula: toText(formula.definition),
    source,
    parameters: parametersOf(formula),
    properties: { ...propertiesOf(formula), learned, tolerance: propertyTolerance },
    cost: costsOf(formula),
  };
}

function rangeOf({ properties }: Listing): string {
  if (!('range' in properties)) return '';
  const { infimum, supremum } = properties.range;
  const [open, close] = [infimum.attained ? '[' : '(', supremum.attained ? ']' : ')'];
  return `${open}${brief(infimum.value, 4)}, ${brief(supremum.value, 4)}${close}`;
}

const monotonicOf = ({ properties }: Listing): string => ('monotonic' in properties ? properties.monotonic : '');
