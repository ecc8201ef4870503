import { Option } from 'commander';
import type { Register } from '../command.js';
import { type CommonOptions, common } from '../options.js';
import { Output } from '../output.js';

interface ListOptions extends CommonOptions {
  readonly kind?: 'activation' | 'gate' | 'row' | 'cell';
}

export const registerList: Register = (family, context) => {
  common(
    family
      .command('list')
      .description('Every formula with its properties and its cost, computed from its expression.')
      .addOption(new Option('--kind <kind>', 'only these').choices(['activation', 'gate', 'row', 'cell'])),
  ).action(async (options: ListOptions) => {
    const output = new Output(context.terminal, options);
    const [{ catalogue }, { catalogueCells }, { listingOf }, { cellListing }, { rangeText }] = await Promise.all([
      import('../../activations/catalogue.js'),
      import('../../activations/cells.js'),
      import('../../experiments/listing.js'),
      import('../../experiments/cell-listing.js'),
      import('../../experiments/describe-formula.js'),
    ]);
    const all = [...catalogue().map(listingOf), ...catalogueCells().map(cellListing)];
    const listings = all.filter(({ kind }) => options.kind === undefined || kind === options.kind);
    output.table(
      [
        { title: 'name' },
        { title: 'kind' },
        { title: 'range' },
        { title: 'monotonic' },
        { title: 'special', align: 'right' },
        { title: 'formula' },
      ],
      listings.map(({ name, kind, properties, cost, formula }) => [
        name,
        kind,
        'range' in properties ? rangeText(properties.range) : '',
        'monotonic' in properties ? properties.monotonic : '',
        String(cost.value.special),
        formula,
      ]),
    );
    output.lines('', `${listings.length} formulas; "special" counts special functions per element.`);
    output.lines('sluice activations show NAME says all that is known of one.');
    output.result(listings);
  });
};
