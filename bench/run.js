/**
 * Asks every question, each in processes of its own, and writes results/node-<major>.json and RESULTS.md.
 * node bench/run.js [--quick] [--rounds N] [--only matmul --only memory]
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findingLine, markdown } from './lib/table.js';

const questions = ['matmul', 'activations', 'feed-forward', 'training-step', 'memory', 'generate'];
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const results = here('results/');

/** The peers live in this folder alone; `npm ci` brings them the first time. */
function install() {
  if (existsSync(here('node_modules/.package-lock.json'))) return;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { status } = spawnSync(npm, ['ci', '--prefix', here('.')], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) process.exit(status ?? 1);
}

function ask(question, options) {
  const { status, stdout } = spawnSync(process.execPath, [here(`${question}.js`), '--json', ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`${question} ended with ${status}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
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
    .map((name) => JSON.parse(readFileSync(`${results}${name}`, 'utf8')))
    .sort((a, b) => Number.parseInt(b.node.slice(1), 10) - Number.parseInt(a.node.slice(1), 10));
  return `# What \`npm run bench\` measured

Written by \`bench/run.js\`. Each library runs in a process of its own; they take turns within a round, a ratio is taken
within a round, and medians over the rounds are shown. A result is compared with the same in float64 before it is timed.
Peers run as they do in Node: neither has threads there (in pages both have), so ours on two threads meet one of theirs;
"1 thread" is ours on one. Ratios are wanted of the newest Node, two thirds of them of Node 20.

${runs.map(section).join('\n')}`;
}

function section({ date, node, machine, load, answers }) {
  const busy =
    Math.max(...Object.values(load)) > 3
      ? ' **The machine was busy with other work: read the ratios, not the times.**'
      : '';
  const text = answers.map((answer) => markdown(answer).replaceAll(/^## /gm, '### ')).join('\n');
  return `## Node ${node.slice(1)}, ${date}

${machine}. Load before and after: ${load.before.toFixed(1)}, ${load.after.toFixed(1)}.${busy}

${text}`;
}

function run() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      rounds: { type: 'string' },
      only: { type: 'string', multiple: true, default: questions },
    },
  });
  const unknown = values.only.find((name) => !questions.includes(name));
  if (unknown !== undefined) throw new Error(`no question ${unknown}: ${questions.join(', ')}`);
  if (!existsSync(here('../dist'))) throw new Error('not built: npm run build');
  install();
  const before = loadNow();
  const options = values.quick === true ? ['--quick'] : [];
  const answers = values.only.map((name) => {
    const paired = questions.indexOf(name) < 3;
    return ask(name, [...options, ...(paired && values.rounds !== undefined ? ['--rounds', values.rounds] : [])]);
  });
  for (const { question, findings } of answers) {
    for (const finding of findings) console.log(`${question}: ${findingLine(finding)}`);
  }
  if (values.quick === true) return;
  mkdirSync(results, { recursive: true });
  const file = `${results}node-${Number.parseInt(process.versions.node, 10)}.json`;
  const known = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).answers : [];
  const all = questions.flatMap((name) => [...answers, ...known].find(({ question }) => question === name) ?? []);
  const date = new Date().toISOString().slice(0, 10);
  const load = { before, after: loadNow() };
  writeFileSync(
    file,
    `${JSON.stringify({ date, node: process.version, machine: machine(), load, answers: all }, null, 1)}\n`,
  );
  writeFileSync(here('RESULTS.md'), page());
}

run();
