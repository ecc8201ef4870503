/**
 * One question, asked of several libraries. Each has a process of its own and they take turns, so that what the
 * machine does meanwhile hits all alike; a ratio is taken within a round, and the median over the rounds counts.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median, timed, worstDifference, worstUlp } from './measure.js';
import { printTable } from './table.js';

/**
 * @typedef {object} Task what a library does in one case
 * @property {() => Promise<void> | void} run once; ends when the result is there
 * @property {() => Promise<ArrayLike<number>>} check some results, to be compared with the truth
 * @property {() => void} [dispose]
 *
 * @typedef {object} Case
 * @property {string} name
 * @property {number} [tolerance] of results, by the size of the largest
 * @property {object} [timing] as `timed` takes it
 *
 * @typedef {object} Question its contenders are `sluice`, `single` (ours on one thread) and peers
 * @property {string} name
 * @property {string} title
 * @property {(quick: boolean) => Case[]} cases
 * @property {Record<string, (quick: boolean) => Promise<{ description: string, prepare: (item: Case) => Promise<Task | undefined> }>>} contenders
 * @property {() => Promise<(item: Case) => ArrayLike<number>>} truth what `check` should give, in float64
 * @property {number} rounds
 * @property {(answers: object[]) => { rows: object[], findings: object[] }} report
 */

/** The newest Node has to reach the whole ratio, older ones two thirds. */
export const target = (ratio) => (Number.parseInt(process.versions.node, 10) >= 24 ? ratio : (ratio * 2) / 3);

/** Runs a question's file: as one contender when it was forked as such, else asking them all. */
export async function main(url, question) {
  const { values } = parseArgs({
    options: {
      contender: { type: 'string' },
      quick: { type: 'boolean' },
      json: { type: 'boolean' },
      rounds: { type: 'string' },
    },
  });
  const quick = values.quick === true;
  if (values.contender !== undefined) return serve(question, values.contender, quick);
  const rounds = Number(values.rounds ?? (quick ? 1 : question.rounds));
  const result = await ask(fileURLToPath(url), question, rounds, quick);
  if (values.json === true) console.log(JSON.stringify(result));
  else printTable(result);
}

/**
 * How many times as fast as each peer we are in one case, and what is wanted of that.
 * @param {Record<string, number>} wanted by peer, of the newest Node
 */
export function peerFindings({ name, ratios, bestRatios }, wanted) {
  return Object.entries(ratios).map(([peer, value]) => ({
    what: `${name}: times as fast as ${peer}`,
    value,
    best: bestRatios[peer],
    wanted: `${target(wanted[peer])} or more`,
    met: value >= target(wanted[peer]),
  }));
}

async function serve(question, name, quick) {
  const { description, prepare } = await question.contenders[name](quick);
  let current;
  const answer = async ({ do: what, item }) => {
    if (what === 'describe') return description;
    if (what === 'prepare') {
      current?.dispose?.();
      current = await prepare(item);
      if (current === undefined) return undefined;
      for (let i = 0; i < 3; i++) await current.run();
      return { check: [...(await current.check())] };
    }
    return timed(current.run, quick ? { repetitions: 1, minimum: 0 } : item.timing);
  };
  process.on('message', async (request) => {
    try {
      process.send({ result: await answer(request) });
    } catch (error) {
      process.send({ error: String(error?.stack ?? error) });
    }
  });
}

function start(file, name, quick) {
  const child = fork(file, ['--contender', name, ...(quick ? ['--quick'] : [])], { serialization: 'advanced' });
  const ask = (request) =>
    new Promise((resolve, reject) => {
      const ended = (code) => reject(new Error(`${name} ended with ${code}`));
      child.once('exit', ended);
      child.once('message', ({ result, error }) => {
        child.off('exit', ended);
        if (error === undefined) resolve(result);
        else reject(new Error(`${name}: ${error}`));
      });
      child.send(request);
    });
  return { name, ask, stop: () => child.kill() };
}

async function ask(file, question, rounds, quick) {
  const contenders = Object.keys(question.contenders).map((name) => start(file, name, quick));
  try {
    const descriptions = {};
    for (const { name, ask } of contenders) descriptions[name] = await ask({ do: 'describe' });
    const [answers, expected] = [[], await question.truth()];
    for (const item of question.cases(quick)) {
      process.stderr.write(`${question.name}: ${item.name}\n`);
      answers.push(await askCase(item, expected(item), contenders, rounds));
    }
    const conditions = { rounds, quick, node: process.version, descriptions };
    const { rows, findings } = question.report(answers);
    const measurements = answers.map(({ item, ...measured }) => measured);
    return { question: question.name, title: question.title, conditions, rows, findings, measurements };
  } finally {
    for (const { stop } of contenders) stop();
  }
}

/** One case: who has it and gets it right takes turns; the order turns round from round to round. */
async function askCase(item, expected, contenders, rounds) {
  const { tolerance = 1e-4 } = item;
  const [running, ulps, wrong] = [[], {}, {}];
  for (const contender of contenders) {
    const prepared = await contender.ask({ do: 'prepare', item });
    if (prepared === undefined) continue;
    const difference = worstDifference(prepared.check, expected);
    ulps[contender.name] = worstUlp(prepared.check, expected);
    if (difference <= tolerance) running.push(contender);
    else wrong[contender.name] = difference;
  }
  if (wrong.sluice !== undefined) throw new Error(`our own ${item.name} is wrong by ${wrong.sluice}`);
  const times = Object.fromEntries(running.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? running : [...running].reverse();
    for (const { name, ask } of order) times[name].push(await ask({ do: 'measure', item }));
  }
  const over = (reduce) => Object.fromEntries(Object.entries(times).map(([name, list]) => [name, reduce(list)]));
  const milliseconds = over((list) => median(list.map((time) => time.median)));
  const bests = over((list) => Math.min(...list.map((time) => time.best)));
  const peers = Object.keys(times).filter((name) => name !== 'sluice' && name !== 'single');
  const ratio = (name) => median(times[name].map((time, round) => time.median / times.sluice[round].median));
  const ratios = Object.fromEntries(peers.map((name) => [name, ratio(name)]));
  const bestRatios = Object.fromEntries(peers.map((name) => [name, bests[name] / bests.sluice]));
  return { name: item.name, item, times, milliseconds, bests, ratios, bestRatios, ulps, wrong };
}
