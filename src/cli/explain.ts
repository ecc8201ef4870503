import { readFile } from 'node:fs/promises';
import { InvalidArgumentError } from 'commander';
import { SluiceError } from '../base/errors.js';
import type { Agreement } from '../experiments/explain/autograd.js';
import type { FeedForwardTrace } from '../experiments/explain/feed-forward.js';
import { explainedLosses } from '../experiments/explain/loss-names.js';
import type { RecurrentTrace } from '../experiments/explain/recurrent.js';
import { writeFileAtomically } from '../formats/durable.js';
import type { Register } from './command.js';
import { type CommonOptions, common, numberIn, refuseMore, withDevice } from './options.js';
import { brief, Output } from './output.js';
import { asUsage, UsageError } from './usage.js';

interface ExplainFlags extends CommonOptions {
  readonly recurrent?: boolean;
  readonly widths?: readonly number[];
  readonly activation?: string;
  readonly outputActivation?: string;
  readonly loss?: string;
  readonly lr: number;
  readonly input?: readonly (readonly number[])[];
  readonly target?: readonly (readonly number[])[];
  readonly weights?: string;
  readonly svg?: string;
}

const numbers = (text: string): number[] =>
  text.split(',').map((part) => {
    const value = part.trim() === '' ? Number.NaN : Number(part);
    if (!Number.isFinite(value)) throw new InvalidArgumentError('It is numbers with commas between.');
    return value;
  });
const rows = (text: string): number[][] => text.split(';').map(numbers);

export const registerExplain: Register = (program, context) => {
  const command = common(
    program
      .command('explain')
      .description(
        "Show back-propagation in a small network: every value, every layer's delta, every gradient and the update, with the numbers put in.",
      )
      .option('--recurrent', 'through time, in an RNN')
      .option('--widths <numbers>', 'inputs, hidden units, outputs: 2,2,1', numbers)
      .option('--activation <text>', 'a name, or a text in x; sigmoid, and tanh in an RNN')
      .option('--output-activation <text>', 'of the last layer; as the others, and none before a cross-entropy')
      .option('--loss <name>', `${explainedLosses.join(', ')} (${explainedLosses[0]})`)
      .option('--input <numbers>', 'one for each input: 0.05,0.1; time steps with semicolons between: "1;0;0.5"', rows)
      .option('--target <numbers>', 'one for each output, and time steps as those of --input', rows)
      .option('--lr <number>', 'learning rate of the update', numberIn({ minimum: 0, open: true }), 0.5)
      .option('--weights <file>', 'weights and biases from JSON, as --json writes them')
      .option('--svg <file>', 'draw the network with its values, weights and gradients'),
    'device',
    'threads',
    'seed',
  );
  refuseMore(command, () => '--input').action(async (flags: ExplainFlags) => {
    await explainNetwork(flags, new Output(context.terminal, flags));
  });
};

async function explainNetwork(flags: ExplainFlags, output: Output): Promise<void> {
  const [{ problemOf }, { explainFeedForward }, { explainRecurrent }, { agreementOf }] = await Promise.all([
    import('../experiments/explain/problem.js'),
    import('../experiments/explain/feed-forward.js'),
    import('../experiments/explain/recurrent.js'),
    import('../experiments/explain/autograd.js'),
  ]);
  const weights = flags.weights === undefined ? undefined : await readWeights(flags.weights);
  const { recurrent = false, lr: learningRate, ...given } = flags;
  const problem = asUsage(() => problemOf({ ...given, recurrent, learningRate, weights }));
  const trace = problem.kind === 'recurrent' ? explainRecurrent(problem) : explainFeedForward(problem);
  // Digits are compared where they are as many: the reference computes in float64 too.
  const agreement = await withDevice(output, { device: 'reference', ...flags }, (device) => agreementOf(device, trace));
  await show(output, trace, agreement);
  if (flags.svg !== undefined) {
    const { networkSvg } = await import('../experiments/explain/picture.js');
    await writeFileAtomically(flags.svg, networkSvg(trace));
    output.lines('', `wrote ${flags.svg}`);
  }
  output.result(resultOf(trace, agreement));
}

async function show(
  output: Output,
  trace: FeedForwardTrace | RecurrentTrace,
  { device, largestDifference }: Agreement,
): Promise<void> {
  const { feedForwardLines, recurrentLines } = await import('../experiments/explain/lines.js');
  const { widths, activation, loss, learningRate } = trace.problem;
  const kind = 'steps' in trace ? `an RNN over ${trace.steps.length} time steps` : 'a network';
  output.lines(
    `${kind} of ${widths.join(' > ')} units, ${activation.name}, ${loss}, learning rate ${brief(learningRate)}`,
  );
  for (const { title, lines } of 'steps' in trace ? recurrentLines(trace) : feedForwardLines(trace)) {
    output.lines('', output.style('bold', title), ...lines.map((line) => `  ${line}`));
  }
  const compared =
    largestDifference === 0 ? 'the same, bit for bit' : `within ${brief(largestDifference, 2)} of the largest`;
  output.lines('', `Gradients by autograd (${device}): ${compared}.`);
}

/** What `--weights` reads back. */
function resultOf(trace: FeedForwardTrace | RecurrentTrace, agreement: Agreement): Record<string, unknown> {
  const { kind, widths, activation, learningRate, input, target } = trace.problem;
  const { name, formula, derivative } = trace.lossFormula;
  const problem = { kind, widths, activation: activation.name, learningRate, input, target };
  const loss = { name, formula, derivative, value: trace.loss };
  const { problem: _, lossFormula: __, loss: ___, ...rest } = trace;
  return { ...problem, loss, ...rest, autograd: agreement };
}

async function readWeights(path: string): Promise<unknown> {
  const remedy = 'Write {"layers": [{"weight": [[...]], "bias": [...]}]}, as sluice explain --json does.';
  const refuse = (rule: string, cause: unknown): UsageError => {
    const received = cause instanceof Error ? cause.message : cause;
    return new UsageError(new SluiceError('argument', { rule, received, remedy, cause }));
  };
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw refuse(`${path} can be read`, cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refuse(`${path} holds JSON`, cause);
  }
}
