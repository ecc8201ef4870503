import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';
import type { Embedded } from '../runs/task.js';
import type { Register } from './command.js';
import { type CommonOptions, common, integerIn, refuseMore, repeatable, withDevice } from './options.js';
import { Output } from './output.js';
import { withSignals } from './signals.js';

interface EmbedFlags extends CommonOptions {
  readonly data?: string;
  readonly text: readonly string[];
  readonly column: string;
  readonly pooling: string;
  readonly normalize?: true;
  readonly batch: number;
}

const poolings = ['mean', 'cls'] as const;

export const registerEmbed: Register = (program, context) => {
  const command = common(
    program
      .command('embed')
      .description('A vector for each text, by an encoder: texts of like meaning have like vectors.')
      .argument('<run>', 'the folder of the run or of a model, or the name of one that was pulled')
      .addOption(repeatable('--text <text>', 'a text').default([], 'none'))
      .option('--data <file>', 'texts: lines of JSON, a table, or a text with one to a line')
      .option('--column <name>', 'where lines of JSON or a table have them', 'text')
      .option('--pooling <name>', 'what stands for a text: the mean of its tokens, or the first one (cls)', 'mean')
      .option('--normalize', 'vectors of length 1: their product is the cosine of their angle')
      .option('--batch <number>', 'texts at a time', integerIn({ minimum: 1 }), 64),
    'quiet',
    'device',
    'threads',
  );
  refuseMore(command, () => '--text').action(async (run: string, flags: EmbedFlags) => {
    const output = new Output(context.terminal, flags);
    context.exitCode = await withSignals((signal) => embedWith(run, flags, output, signal));
  });
};

async function embedWith(run: string, flags: EmbedFlags, output: Output, signal: AbortSignal): Promise<number> {
  const [{ locateModel }, { readFolder }, { taskNamed }, { textsOf }, { checkChoice }] = await Promise.all([
    import('../runs/hub/locate.js'),
    import('../runs/read-folder.js'),
    import('../runs/tasks.js'),
    import('../runs/read-texts.js'),
    import('../base/options.js'),
  ]);
  checkChoice('--pooling', flags.pooling, poolings);
  const texts = flags.data === undefined ? flags.text : [...flags.text, ...(await textsOf(flags.data, flags.column))];
  if (texts.length === 0) {
    throw new SluiceError('argument', {
      rule: 'vectors are made of texts',
      received: 'none',
      remedy: 'Give --text "..." or --data FILE.',
    });
  }
  return withDevice(output, flags, async (device) => {
    const folder = await locateModel(run);
    const record = await readFolder(folder);
    const judge = await taskNamed(record.settings.task).judge({ folder, record, device });
    try {
      if (judge.embed === undefined) {
        throw new SluiceError('checkpoint', {
          rule: 'vectors of texts are made by an encoder, bert or modernbert',
          received: record.settings.model,
          remedy: 'Train one: sluice train --task mlm --data my.txt.',
        });
      }
      const pooling = flags.pooling === 'cls' ? 'cls' : 'mean';
      const normalize = flags.normalize === true;
      show(output, texts, await judge.embed({ texts, batch: flags.batch, pooling, normalize, signal }));
    } finally {
      await judge.close();
    }
    return 0;
  });
}

/** Of a long vector the first numbers for a person; all of them for a script. */
function show(output: Output, texts: readonly string[], { dim, vectors, cut }: Embedded): void {
  const shown = 4;
  output.table(
    [{ title: 'text' }, { title: `vector of ${dim}` }],
    vectors.map((vector, i) => [
      clipped(texts[i] ?? ''),
      `${Array.from(vector.subarray(0, shown), (value) => value.toFixed(4)).join(' ')}${dim > shown ? ' ...' : ''}`,
    ]),
  );
  if (cut > 0) output.warn(`of ${plural(cut, 'text')} the first tokens were read: the model takes no more`);
  output.result({ dim, cut, embeddings: vectors.map((vector, i) => ({ text: texts[i], vector: Array.from(vector) })) });
}

const clipped = (text: string): string => (text.length > 40 ? `${text.slice(0, 37)}...` : text);
