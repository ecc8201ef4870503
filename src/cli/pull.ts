import { createLogUpdate } from 'log-update';
import { plural } from '../base/plural.js';
import { duration } from '../base/units.js';
import type { PullProgress } from '../runs/hub/pace.js';
import type { Register } from './command.js';
import { type CommonOptions, common, refuseMore, repeatable } from './options.js';
import { Output } from './output.js';
import { withSignals } from './signals.js';
import { asUsage } from './usage.js';

interface PullFlags extends CommonOptions {
  readonly revision?: string;
  readonly files: readonly string[];
  readonly cache?: string;
  readonly offline?: boolean;
}

export const registerPull: Register = (program, context) => {
  const command = common(
    program
      .command('pull')
      .description(
        'Fetch a model from the Hugging Face hub, or go on with a download that was cut off; every command then takes its name.',
      )
      .argument('<name>', 'owner/model, as on its page')
      .option('--revision <name>', 'a branch, a tag or a commit; main by default')
      .addOption(
        repeatable('--files <pattern>', 'these files alone, * standing for any characters').default(
          [],
          'settings, tokenizer and safetensors',
        ),
      )
      .option('--cache <folder>', "where models are kept (HF_HUB_CACHE); by default where Hugging Face's own tools do")
      .option('--offline', 'only say where it is, without the network (HF_HUB_OFFLINE)')
      .addHelpText('after', '\nHF_TOKEN is sent for private and gated models; HF_ENDPOINT names another hub.'),
    'quiet',
  );
  refuseMore(command, () => '--files').action(async (name: string, flags: PullFlags) => {
    const output = new Output(context.terminal, flags);
    context.exitCode = await withSignals((signal) => pullModel(name, flags, output, signal));
  });
};

async function pullModel(name: string, flags: PullFlags, output: Output, signal: AbortSignal): Promise<number> {
  const [{ pull }, { modelName }] = await Promise.all([import('../runs/hub/pull.js'), import('../runs/hub/names.js')]);
  const { revision, files, cache, offline } = flags;
  asUsage(() => modelName(name, revision));
  const view = new PullView(output);
  const place = { ...(cache === undefined ? {} : { cache }), ...(offline === undefined ? {} : { offline }) };
  try {
    const pulled = await pull(name, { revision, files, ...place, signal, onProgress: (event) => view.show(event) });
    view.end();
    const { fetchedBytes, bytes } = pulled;
    const came = bytes === 0 || fetchedBytes === bytes ? '' : `, ${size(fetchedBytes)} of them now`;
    if (bytes > 0) output.lines(`${plural(pulled.files.length, 'file')}, ${size(bytes)}${came}`);
    output.lines(pulled.folder);
    output.result(pulled);
    return 0;
  } finally {
    view.end();
  }
}

/** Bytes as people write them, in powers of a thousand. */
function size(bytes: number): string {
  const power = Math.min(3, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${['B', 'kB', 'MB', 'GB'][power]}`;
}

/** One line that changes for a person who watches; else a line at each tenth. */
class PullView {
  readonly #output: Output;
  readonly #live: ReturnType<typeof createLogUpdate> | undefined;
  #shown = -1;

  constructor(output: Output) {
    this.#output = output;
    this.#live = output.terminal.interactive && !output.quiet ? createLogUpdate(process.stderr) : undefined;
  }

  show({ path, done, total, bytesPerSecond, secondsLeft }: PullProgress): void {
    const share = total === 0 ? 100 : Math.floor((100 * done) / total);
    const left = secondsLeft === undefined ? '' : `, ${duration(secondsLeft)} left`;
    const text = `${share} % of ${size(total)}, ${size(bytesPerSecond)}/s${left}: ${path}`;
    if (this.#live !== undefined) this.#live(text);
    else if (Math.floor(share / 10) > this.#shown) this.#output.progress(text);
    this.#shown = Math.max(this.#shown, Math.floor(share / 10));
  }

  end(): void {
    this.#live?.clear();
    this.#live?.done();
  }
}
