/**
 * Asks every question, each in processes of its own, and writes results/node-<major>.json, a picture beside it, and
 * RESULTS.md. node bench/run.js [--quick] [--rounds N] [--only matmul --only memory] [--against native,pytorch]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { board, section } from './lib/page.js';
import { picture } from './lib/picture.js';
import { scoreLine } from './lib/table.js';

const questions = [
  ...['ceilings', 'matmul', 'activations', 'feed-forward', 'training-step', 'bert', 'lstm', 'nanogpt', 'generate'],
  ...['peak-memory', 'first-step', 'memory'],
];
/** Those that libraries take turns at. */
const paired = questions.slice(0, 9);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const results = here('results/');

/** The peers of JavaScript live in this folder alone; `npm ci` brings them the first time. */
function install() {
  if (existsSync(here('node_modules/.package-lock.json'))) return;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { status } = spawnSync(npm, ['ci', '--prefix', here('.')], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}

/** A question's answer, dated. */
function ask(question, options) {
  const before = loadNow();
  const { status, stdout } = spawnSync(process.execPath, [here(`${question}.js`), '--json', ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`${question} ended with ${status}`);
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  return { ...JSON.parse(stdout.trim().split('\n').at(-1)), date, load: { before, after: loadNow() } };
}

const loadNow = () => os.loadavg()[0];

function machine() {
  const [processor] = os.cpus();
  const gibibytes = (os.totalmem() / 2 ** 30).toFixed(0);
  return `${processor?.model.trim() ?? 'unknown processor'}, ${os.availableParallelism()} threads, ${gibibytes} GiB, ${os.platform()} ${os.arch()}`;
}

/** Everything that was measured, newest Node first. */
function page() {
  const runs = readdirSync(results)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({
      ...JSON.parse(readFileSync(`${results}${name}`, 'utf8')),
      picture: name.replace('.json', '.svg'),
    }))
    .sort((a, b) => Number.parseInt(b.node.slice(1), 10) - Number.parseInt(a.node.slice(1), 10));
  return `# What \`npm run bench\` measured

Written by \`bench/run.js\`. Each library runs in a process of its own; they take turns within a round, a ratio is taken
within a round, and medians over the rounds are shown. A result is compared with the same in float64 before it is timed,
a model by its number of parameters. Where an answer says that it was disturbed, other processes ran in those rounds.

- native and wasm: ours, on 2 threads; single: wasm on one; kernels: ours alone, writing to memory that is there
- pytorch: eager, at its default; compiled: torch.compile; out: its kernels writing to tensors that are there. SLUICE_PYTHON
  names the Python that has it
- tensorflow and jax run as they do in Node, without threads. Ratios to them are wanted of the newest Node, two thirds
  of them of Node 20
- the ceiling is the best of all libraries at hand in the same round; FLOPs: 6 per parameter and token, attention's causal
  half counted once

${runs.map(section).join('\n')}`;
}

async function save(answers) {
  mkdirSync(results, { recursive: true });
  const file = `${results}node-${Number.parseInt(process.versions.node, 10)}`;
  const known = existsSync(`${file}.json`) ? JSON.parse(readFileSync(`${file}.json`, 'utf8')).answers : [];
  const all = questions.flatMap((name) => [...answers, ...known].find(({ question }) => question === name) ?? []);
  const date = new Date().toISOString().slice(0, 10);
  const run = { date, node: process.version, machine: machine(), answers: all };
  writeFileSync(`${file}.json`, `${JSON.stringify(run, rounded, 1)}\n`);
  const caption = `${run.machine}, Node ${run.node.slice(1)}, ${date}`;
  writeFileSync(`${file}.svg`, await picture(board(all), caption));
  writeFileSync(here('RESULTS.md'), page());
}

/** Four digits are more than a timing has. */
const rounded = (_, value) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;

async function run() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      rounds: { type: 'string' },
      against: { type: 'string' },
      only: { type: 'string', multiple: true, default: questions },
    },
  });
  const unknown = values.only.find((name) => !questions.includes(name));
  if (unknown !== undefined) throw new Error(`no question ${unknown}: ${questions.join(', ')}`);
  if (!existsSync(here('../dist'))) throw new Error('not built: npm run build');
  install();
  const [quick, turns] = [values.quick === true ? ['--quick'] : [], []];
  for (const name of ['rounds', 'against']) if (values[name] !== undefined) turns.push(`--${name}`, values[name]);
  for (const name of values.only) {
    const answer = ask(name, [...quick, ...(paired.includes(name) ? turns : [])]);
    for (const score of answer.scores) console.log(scoreLine(score));
    if (values.quick !== true) await save([answer]);
  }
}

await run();
