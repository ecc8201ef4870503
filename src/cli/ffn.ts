import type { BlockComparison, ComparedBlock, Equality, SizedBlock } from '../experiments/compare-blocks.js';
import type { BlockFormula } from '../layers/feed-forward.js';
import type { Register } from './command.js';
import { type CommonOptions, common, integerIn, refuseMore, repeatable, withDevice } from './options.js';
import { brief, type Column, Output } from './output.js';
import { asUsage } from './usage.js';

interface FfnFlags extends CommonOptions {
  readonly dim: number;
  readonly hidden?: number;
  readonly multipleOf: number;
  readonly ffn?: readonly string[];
  readonly activation?: readonly string[];
  readonly all?: boolean;
  readonly tokens: number;
  readonly repetitions: number;
  readonly timing: boolean;
  readonly out?: string;
}

/** `sluice ffn`: feed-forward blocks side by side. */
export const registerFfn: Register = (program, context) => {
  const whole = integerIn({ minimum: 1 });
  const command = common(
    program
      .command('ffn')
      .description(
        'Feed-forward blocks side by side, each as large as a classic block in parameters, and in compute: width, FLOPs, bytes kept for the backward pass, exponentials, and time on this machine.',
      )
      .option('--dim <number>', 'width of the residual stream', integerIn({ minimum: 1, maximum: 2 ** 16 }), 768)
      .option('--hidden <number>', 'width of the classic block that sets the size; 4 times dim', whole)
      .option('--multiple-of <number>', 'the widths of the others are multiples of this', whole, 1)
      .addOption(repeatable('--ffn <name>', 'a gate, or solu (with its LayerNorm); by default all'))
      .addOption(repeatable('--activation <text>', 'classic block: a name, or a text in x; by default those in use'))
      .option('--all', 'every activation, gate and row function of the catalogue')
      .option('--tokens <number>', 'tokens at a time where blocks are timed', whole, 512)
      .option('--repetitions <number>', 'timed passes, of which the median counts', whole, 9)
      .option('--no-timing', 'leave times out')
      .option('--out <file>', 'draw the comparison as SVG'),
    'quiet',
    'device',
    'threads',
  );
  refuseMore(command, () => '--ffn').action(async (flags: FfnFlags) => {
    await compare(flags, new Output(context.terminal, flags));
  });
};

async function compare(flags: FfnFlags, output: Output): Promise<void> {
  const [{ compareBlocks }, { Remaining }] = await Promise.all([
    import('../experiments/compare-blocks.js'),
    import('./remaining.js'),
  ]);
  const { dim, hidden = 4 * dim, multipleOf, repetitions, out } = flags;
  const formulas = await chosen(flags);
  const tokens = flags.timing ? flags.tokens : 0;
  const comparison: BlockComparison = { dim, hidden, multipleOf, formulas, tokens, repetitions };
  await withDevice(output, flags, async (device) => {
    const remaining = new Remaining();
    const blocks = await compareBlocks(device, comparison, (done, total, name) =>
      output.progress(`${done + 1}/${total}  ${name}${remaining.text(done, total)}`),
    );
    const about = { dim, hidden, multipleOf, tokens, device: device.name };
    // First: who reads the lines may close the pipe.
    if (out !== undefined) {
      const [{ blocksSvg }, { writeFileAtomically }] = await Promise.all([
        import('../experiments/blocks-picture.js'),
        import('../formats/durable.js'),
      ]);
      await writeFileAtomically(out, blocksSvg(blocks, about));
    }
    show(output, blocks, about, device.description);
    if (out !== undefined) output.lines('', `wrote ${out}`);
    output.result({ ...about, description: device.description, blocks, ...(out === undefined ? {} : { svg: out }) });
  });
}

async function chosen({ ffn, activation, all }: FfnFlags): Promise<readonly BlockFormula[]> {
  const [{ usualBlocks }, { catalogue, resolveActivation }, { blockNamed }] = await Promise.all([
    import('../experiments/compare-blocks.js'),
    import('../activations/catalogue.js'),
    import('../runs/model.js'),
  ]);
  if (all === true) return catalogue() as readonly BlockFormula[];
  if (ffn === undefined && activation === undefined) return usualBlocks();
  return asUsage(() => [
    ...(activation ?? []).map((text) => resolveActivation(text)),
    ...(ffn ?? []).map((name) => blockNamed(name)),
  ]);
}

type About = Pick<BlockComparison, 'dim' | 'hidden' | 'multipleOf' | 'tokens'>;

const titles: Readonly<Record<Equality, string>> = {
  parameters: 'At equal parameters',
  compute: 'At equal compute',
};

function show(output: Output, blocks: readonly ComparedBlock[], about: About, description: string): void {
  const { dim, hidden, multipleOf, tokens } = about;
  const rounding = multipleOf === 1 ? '' : ` in multiples of ${multipleOf}`;
  output.lines(
    `Blocks of ${dim}, against a classic one of ${hidden}${rounding}; each figure but the first two is of one token.`,
  );
  if (tokens > 0) output.lines(`${description}; ${tokens} tokens at a time.`);
  for (const equality of Object.keys(titles) as Equality[]) {
    output.lines('', output.style('bold', titles[equality]));
    output.table(
      columnsOf(tokens > 0),
      blocks.map((block) => cellsOf(block, block.equal[equality])),
    );
  }
  output.lines(
    '',
    'kept: what autograd holds between the passes beside the input and the output. exp: exponentials and logarithms.',
  );
}

function columnsOf(isTimed: boolean): Column[] {
  const counted = ['width', 'parameters', 'MFLOP forward', 'backward', 'kept KiB', 'exp forward', 'backward'];
  const timed = isTimed ? ['µs forward', 'backward'] : [];
  return [{ title: 'block' }, ...[...counted, ...timed].map((title): Column => ({ title, align: 'right' }))];
}

function cellsOf({ name }: ComparedBlock, sized: SizedBlock): string[] {
  const { hidden, parameters, forward, backward, keptBytes, microseconds } = sized;
  const times = microseconds === undefined ? [] : [microseconds.forward, microseconds.backward];
  return [
    ...[name, String(hidden), parameters.toLocaleString('en-US')],
    ...[forward, backward].map(({ flops }) => (flops / 1e6).toFixed(2)),
    brief(keptBytes / 1024, 4),
    ...[forward, backward].map(({ exponentials }) => exponentials.toLocaleString('en-US')),
    ...times.map((time) => brief(time, 3)),
  ];
}
