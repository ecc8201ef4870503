import type { Command } from 'commander';
import { registerBench } from './activations/bench.js';
import { registerEval } from './activations/eval.js';
import { registerList } from './activations/list.js';
import { registerPlot } from './activations/plot.js';
import { registerShow } from './activations/show.js';
import type { Register } from './command.js';

const parts: readonly Register[] = [registerList, registerShow, registerEval, registerPlot, registerBench];

/** `sluice activations`: the catalogue, from the expressions. */
export const registerActivations: Register = (program, context) => {
  const family: Command = program
    .command('activations')
    .description('The catalogue of activations, gates and row functions, from their expressions.');
  for (const register of parts) register(family, context);
};
