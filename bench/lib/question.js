/**
 * One question, asked of several libraries. Each has a process of its own and they take turns, so that what the
 * machine does meanwhile hits all alike; a ratio is taken within a round, and the median over the rounds counts. Rounds
 * in which other processes ran are done again, and do not count while enough did not.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Answer } from './answer.js';
import { openCeiling } from './ceiling.js';
import { timed, worstDifference, worstUlp } from './measure.js';
import { peakBytes } from './memory.js';
import { watch } from './neighbours.js';
import { startAll } from './processes.js';
import { printTable } from './table.js';

/**
 * @typedef {object} Task what a library does in one case
 * @property {() => Promise<void> | void} run once; ends when the result is there
 * @property {() => Promise<ArrayLike<number>>} check some results, to be compared with the truth
 * @property {() => Promise<object>} [measure] instead of timing `run`
 * @property {() => void} [dispose]
 *
 * @typedef {object} Case
 * @property {string} name
 * @property {number} [tolerance] of results, by the size of the largest
 * @property {object} [timing] as `timed` takes it
 * @property {number} [warmups] runs before the first measurement, 3 by default
 * @property {number} [rounds] of this case, none of which can be done again
 * @property {string[]} [only] the contenders that are asked, all by default
 *
 * @typedef {object} Question its contenders are ours, whose results must be right, and peers
 * @property {string} name
 * @property {string} title
 * @property {string[]} ours
 * @property {(quick: boolean) => Case[] | Promise<Case[]>} cases
 * @property {Record<string, object | (() => Promise<{ description: string, missing?: string, prepare?: (item: Case) => Promise<Task | undefined> }>)>} contenders made in this file, or a module of src/experiments/pytorch/
 * @property {() => Promise<(item: Case) => ArrayLike<number>>} truth what `check` should give, in float64
 * @property {number} rounds
 * @property {'product' | 'read'} [ceiling] the work whose best speed by any library is measured in every round
 * @property {(answers: Answer[]) => { rows: object[], scores: object[] } | Promise<object>} report
 */

/** Runs a question's file: as one contender when it was forked as such, else asking them all. */
export async function main(url, question) {
  const { values } = parseArgs({
    options: {
      contender: { type: 'string' },
      quick: { type: 'boolean' },
      json: { type: 'boolean' },
      rounds: { type: 'string' },
      against: { type: 'string' },
      case: { type: 'string' },
    },
  });
  const quick = values.quick === true;
  if (values.contender !== undefined) return serve(question.contenders[values.contender], quick);
  const rounds = Number(values.rounds ?? (quick ? 1 : question.rounds));
  const result = await ask(fileURLToPath(url), question, { ...values, rounds, quick });
  if (values.json === true) console.log(JSON.stringify(result));
  else printTable(result);
}

/** Answers requests in a contender's process. */
async function serve(contender, quick) {
  const { description, missing, prepare } = await contender();
  let current;
  const answers = {
    describe: () => ({ description, missing }),
    prepare: async (item) => {
      current?.dispose?.();
      current = await prepare(item);
      if (current === undefined) return undefined;
      for (let i = 0; i < (item.warmups ?? 3); i++) await current.run();
      return { check: [...(await current.check())] };
    },
    measure: (item) =>
      current.measure?.(item) ?? timed(current.run, quick ? { repetitions: 1, minimum: 0 } : item.timing),
    peak: peakBytes,
  };
  process.on('message', async (request) => {
    try {
      process.send({ result: await answers[request.do](request.item) });
    } catch (error) {
      process.send({ error: String(error?.stack ?? error) });
    }
  });
}

async function ask(file, question, options) {
  const { rounds, quick } = options;
  const { running, descriptions } = await startAll(file, question.contenders, options);
  const ceiling = question.ceiling === undefined ? undefined : await openCeiling(question.ceiling, { quick });
  try {
    const [answers, expected] = [[], await question.truth()];
    for (const item of (await question.cases(quick)).filter(({ name }) => name.includes(options.case ?? ''))) {
      process.stderr.write(`${question.name}: ${item.name}\n`);
      const asked = running.filter(({ name }) => item.only?.includes(name) ?? true);
      answers.push(await askCase({ ours: question.ours, item, expected: expected(item), ceiling, rounds }, asked));
    }
    if (ceiling !== undefined) descriptions.ceiling = ceiling.description;
    const disturbed = answers.filter((answer) => answer.disturbed > 0).map(({ name }) => name);
    const conditions = { rounds, quick, node: process.version, descriptions, disturbed };
    return { question: question.name, title: question.title, conditions, ...(await question.report(answers)), answers };
  } finally {
    for (const { stop } of [...running, ...(ceiling?.running ?? [])]) stop();
  }
}

/** One case: who has it and gets it right takes turns; the order turns round from round to round. */
async function askCase({ ours, item, expected, ceiling, rounds }, contenders) {
  const { tolerance = 1e-4 } = item;
  const answer = new Answer(item);
  const running = [];
  for (const contender of contenders) {
    const { name } = contender;
    const prepared = await contender.ask({ do: 'prepare', item });
    if (prepared === undefined) continue;
    const difference = expected.length === 0 ? 0 : worstDifference(prepared.check, expected);
    answer.ulps[name] = worstUlp(prepared.check, expected);
    if (difference <= tolerance) running.push(contender);
    else if (ours.includes(name)) throw new Error(`our own ${item.name} on ${name} is wrong by ${difference}`);
    else answer.wrong[name] = difference;
  }
  const pids = [...running, ...(ceiling?.running ?? [])].map(({ pid }) => pid);
  for (let round = 0; !answer.isEnough(round, item.rounds ?? rounds, item.rounds !== undefined); round++) {
    const wasCalm = watch(pids);
    if (ceiling !== undefined) answer.ceilings.push(await ceiling.measure());
    const order = round % 2 === 0 ? running : [...running].reverse();
    for (const { name, ask } of order) answer.add(name, await ask({ do: 'measure', item }));
    answer.calm.push(wasCalm());
  }
  return answer;
}
