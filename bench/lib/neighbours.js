/**
 * How much of the machine others took. A thread that waits for another which was put aside makes PyTorch ten times slower
 * beside any neighbour, but not us: what was measured then says nothing.
 */
import { readFileSync } from 'node:fs';

/** Of a second of one processor; and what the clock's ticks may be off. */
const [mostShare, slack] = [0.05, 0.03];
const ticks = 100; // a second, in /proc

const fields = (path) =>
  readFileSync(path, 'utf8')
    .split('\n')[0]
    .replace(/^.*\) /, '')
    .trim()
    .split(/\s+/);

/** Seconds that all processors were busy. */
function busy() {
  const [, user, nice, system, , , interrupts, soft] = fields('/proc/stat').map(Number);
  return (user + nice + system + interrupts + soft) / ticks;
}

/** Seconds that a process, all its threads, ran. After the name come state, ppid and so on: utime is the twelfth. */
function spent(pid) {
  const [user, system] = fields(`/proc/${pid}/stat`).slice(11, 13).map(Number);
  return (user + system) / ticks;
}

/**
 * Begins to watch; what it returns says whether the machine was ours since. Always so where there is no /proc.
 * @param {number[]} pids of our processes; this one is added
 */
export function watch(pids) {
  if (process.platform !== 'linux') return () => true;
  const ours = () => [process.pid, ...pids].reduce((sum, pid) => sum + spent(pid), 0);
  const [began, before] = [performance.now(), busy() - ours()];
  return () => busy() - ours() - before <= slack + (mostShare * (performance.now() - began)) / 1000;
}
