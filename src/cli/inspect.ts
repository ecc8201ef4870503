import { resolve } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { writeFileAtomically } from '../formats/durable.js';
import type { InspectRunOptions, RunInspection } from '../runs/inspect-run.js';
import type { Register } from './command.js';
import { showComparison, showInspection } from './inspect-view.js';
import { type CommonOptions, common, integerIn, numberIn, refuseMore, withDevice } from './options.js';
import { Output } from './output.js';
import { withSignals } from './signals.js';
import { UsageError } from './usage.js';

interface InspectFlags extends CommonOptions {
  readonly data?: string;
  readonly batch: number;
  readonly batches: number;
  readonly threshold: number;
  readonly atInit?: boolean;
  readonly compare?: string;
  readonly svg?: string;
}

export const registerInspect: Register = (program, context) => {
  const command = common(
    program
      .command('inspect')
      .description(
        'Look into a model: what its layers give, dead and saturated units, and how large the gradient is at each layer.',
      )
      .argument('<run>', 'the folder of the run')
      .option(
        '--data <path>',
        'the text, or the table; by default what the run held out, or, of a folder without, what is in it',
      )
      .option('--batch <number>', 'sequences, or examples, at a time', integerIn({ minimum: 1 }), 16)
      .option('--batches <number>', 'how many of them at most', integerIn({ minimum: 1 }), 4)
      .option('--at-init', 'the weights that the run began with, instead of those that it came to')
      .option(
        '--threshold <number>',
        "a unit is saturated where its activation's |f'| is below this for nine inputs of ten",
        numberIn({ minimum: 0, open: true }),
        0.01,
      )
      .option('--compare <run>', 'another run of the same layers, side by side')
      .option('--svg <file>', 'draw gradients, histograms, dead and saturated units'),
    'quiet',
    'device',
    'threads',
  );
  refuseMore(command, () => '--compare').action(async (run: string, flags: InspectFlags) => {
    const output = new Output(context.terminal, flags);
    context.exitCode = await withSignals((signal) => inspectRuns(run, flags, output, signal));
  });
};

async function inspectRuns(run: string, flags: InspectFlags, output: Output, signal: AbortSignal): Promise<number> {
  const { compare, svg } = flags;
  if (compare !== undefined && resolve(compare) === resolve(run)) {
    const parts = { rule: '--compare is another run', received: compare, remedy: 'Give the folder of the other one.' };
    throw new UsageError(new SluiceError('argument', parts));
  }
  const { inspectRun, requireSameShape } = await import('../runs/inspect-run.js');
  if (compare === undefined && flags.data === undefined && (await isForeign(run))) return describe(run, output);
  return withDevice(output, flags, async (device) => {
    const { data, batch, batches, threshold, atInit = false } = flags;
    const tell = (note: string): void => output.progress(note);
    const options: InspectRunOptions = { data, batch, batches, threshold, atInit, tell, signal };
    const one = await inspectRun(run, device, options);
    const other = compare === undefined ? undefined : await inspectRun(compare, device, options);
    if (other !== undefined) requireSameShape(one, other);
    // First: who reads the lines may close the pipe.
    if (svg !== undefined) await draw(svg, other === undefined ? [one] : [one, other]);
    if (other === undefined) showInspection(output, one);
    else showComparison(output, one, other);
    if (svg !== undefined) output.lines('', `wrote ${svg}`);
    const drawn = svg === undefined ? {} : { svg };
    output.result(other === undefined ? { ...one, ...drawn } : { runs: [one, other], ...drawn });
    return 0;
  });
}

/** Whether a folder has a model that was not trained here, and so no text that was held out. */
async function isForeign(run: string): Promise<boolean> {
  const [{ locateModel }, { readRunOrNothing }] = await Promise.all([
    import('../runs/hub/locate.js'),
    import('../runs/read-folder.js'),
  ]);
  return (await readRunOrNothing(await locateModel(run))) === undefined;
}

/** What the folder holds: its statistics take a text. */
async function describe(run: string, output: Output): Promise<number> {
  const [{ locateModel }, { describeFolder }] = await Promise.all([
    import('../runs/hub/locate.js'),
    import('../runs/describe-folder.js'),
  ]);
  const description = await describeFolder(await locateModel(run));
  output.panel(description.facts);
  output.lines('');
  output.table(
    [{ title: 'tensor' }, { title: 'times', align: 'right' }, { title: 'dtype' }, { title: 'shape' }],
    description.tensors.map(({ name, count, dtype, shape }) => [name, String(count), dtype, `[${shape.join(', ')}]`]),
  );
  output.lines('', `Give --data my.txt to see what its layers make of a text.`);
  output.result(description);
  return 0;
}

async function draw(path: string, inspections: readonly RunInspection[]): Promise<void> {
  const { inspectionSvg } = await import('../experiments/inspection-picture.js');
  const text = inspectionSvg(inspections);
  await writeFileAtomically(path, text);
}
