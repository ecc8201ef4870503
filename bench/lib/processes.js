/** A contender has a process of its own: a fork of the question's file, or Python with PyTorch. Both answer `ask`. */
import { fork, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {number} pid
 * @property {(request: object) => Promise<any>} ask one request at a time
 * @property {() => void} stop
 */

/** @returns {Contender} the contender that the question's file knows by this name */
function startNode(file, name, flags) {
  const child = fork(file, ['--contender', name, ...flags], { serialization: 'advanced' });
  const replies = (take) => child.once('message', take);
  return contender(name, child, replies, (request) => child.send(request));
}

/** The Python that has PyTorch. */
const python = process.env.SLUICE_PYTHON ?? 'python3';

/** @returns {Contender} a module of src/experiments/pytorch/ that is run one of its ways */
function startPython(name, { python: module, way }, flags) {
  const file = fileURLToPath(new URL('../../src/experiments/pytorch/serve.py', import.meta.url));
  const child = spawn(python, [file, module, way, ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const replies = (take) => lines.once('line', (line) => take(JSON.parse(line)));
  // One that ended is reported by `exit`.
  child.stdin.on('error', () => undefined);
  return contender(name, child, replies, (request) => child.stdin.write(`${JSON.stringify(request)}\n`));
}

function contender(name, child, replies, send) {
  let over;
  const fail = (reason) => {
    over ??= new Error(`${name}: ${reason}`);
  };
  child.once('error', ({ message }) => fail(message));
  child.once('exit', (code) => fail(`ended with ${code}`));
  const ask = (request) =>
    new Promise((resolve, reject) => {
      if (over !== undefined) return reject(over);
      const ended = () => setImmediate(() => reject(over));
      for (const event of ['exit', 'error']) child.once(event, ended);
      replies(({ result, error }) => {
        for (const event of ['exit', 'error']) child.off(event, ended);
        if (error === undefined) resolve(result ?? undefined);
        else reject(new Error(`${name}: ${error}`));
      });
      send(request);
    });
  return { name, pid: child.pid, ask, stop: () => child.kill() };
}

/**
 * Starts contenders; one that cannot work here is left out, and its description says why.
 * @param contenders as in `Question`
 * @param {{ quick?: boolean, against?: string }} options `against` names those to start, with commas
 */
export async function startAll(file, contenders, { quick = false, against }) {
  const names = against?.split(',') ?? Object.keys(contenders);
  const flags = quick ? ['--quick'] : [];
  const [running, descriptions] = [[], {}];
  for (const [name, spec] of Object.entries(contenders).filter(([name]) => names.includes(name))) {
    const contender = typeof spec === 'function' ? startNode(file, name, flags) : startPython(name, spec, flags);
    const { description = name, missing } = await contender
      .ask({ do: 'describe' })
      .catch(({ message }) => ({ missing: message }));
    descriptions[name] = missing === undefined ? description : `${description}: left out, ${missing}`;
    if (missing === undefined) running.push(contender);
    else contender.stop();
  }
  return { running, descriptions };
}
