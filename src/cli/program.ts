import { Command, CommanderError } from 'commander';
import { registerActivations } from './activations.js';
import { registerBench } from './bench.js';
import type { Context, Register } from './command.js';
import { registerDoctor } from './doctor.js';
import { registerEmbed } from './embed.js';
import { registerEvaluate } from './evaluate.js';
import { registerExplain } from './explain.js';
import { explain, failureOf, negatedFormula } from './failure.js';
import { registerFfn } from './ffn.js';
import { registerGenerate } from './generate.js';
import { registerInspect } from './inspect.js';
import { registerKernels } from './kernels.js';
import { jsonText } from './output.js';
import { registerPredict } from './predict.js';
import { registerPull } from './pull.js';
import type { Terminal } from './terminal.js';
import { registerTrain } from './train.js';
import { UsageError } from './usage.js';

const commands: readonly Register[] = [
  registerTrain,
  registerGenerate,
  registerEvaluate,
  registerPredict,
  registerEmbed,
  registerExplain,
  registerInspect,
  registerPull,
  registerFfn,
  registerActivations,
  registerBench,
  registerDoctor,
  registerKernels,
];

function programFor(context: Context, version: string): Command {
  const { terminal } = context;
  const program = new Command('sluice')
    .description('Develop language models from scratch, in TypeScript.')
    .version(version, '--version', 'the version of Sluice')
    .helpOption('-h, --help', 'what a command does and takes')
    .exitOverride()
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.error,
      outputError: (message, write) => {
        const remedy = negatedFormula(message);
        write(remedy === undefined ? message : `${message.trimEnd()}. ${remedy}\n`);
      },
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
    })
    .showSuggestionAfterError();
  for (const register of commands) register(program, context);
  return program;
}

/**
 * Runs a command line and gives its exit code: 0 success, 1 a failure explained on standard error, 2 wrong usage. Under
 * `--json` both kinds of failure are also one object `{"error": {code, rule, received, remedy}}` on standard output.
 * @param args what follows `sluice`
 */
export async function run(args: readonly string[], terminal: Terminal, version: string): Promise<number> {
  const context: Context = { terminal, exitCode: 0 };
  try {
    await programFor(context, version).parseAsync(args, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    // Commander has told its own errors to people.
    if (!(error instanceof CommanderError)) terminal.error(`${explain(error, args.includes('--debug'))}\n`);
    if (args.includes('--json')) terminal.out(`${jsonText({ error: failureOf(error) })}\n`);
    return error instanceof CommanderError || error instanceof UsageError ? 2 : 1;
  }
}
