/** The entry of a worker thread: it serves launches out of shared memory until it is stopped. */
import type { Run } from './control.js';
import { at, controlWords, failureWords, instantiate, openBit, runChunks, word } from './control.js';
import type { WorkerStart } from './platform.js';

const spins = 20_000; // some 0.2 ms: waking a sleeper costs the caller 20 to 40 µs, so stay up between the launches of a step

/** Waits for a launch after number `seen`: briefly awake, then asleep. Returns the newest launch's number. */
function awaitLaunch(words: Int32Array, seen: number): number {
  for (let turn = 0; turn < spins; turn++) {
    const generation = Atomics.load(words, word.generation);
    if (generation !== seen) return generation;
  }
  Atomics.add(words, word.sleepers, 1);
  Atomics.wait(words, word.generation, seen);
  Atomics.sub(words, word.sleepers, 1);
  return Atomics.load(words, word.generation);
}

/** Enters the launch if it still takes helpers. */
function join(words: Int32Array): boolean {
  for (;;) {
    const state = Atomics.load(words, word.state);
    if ((state & openBit) === 0) return false;
    if (Atomics.compareExchange(words, word.state, state, state + 1) === state) return true;
  }
}

function leave(words: Int32Array): void {
  if (Atomics.sub(words, word.state, 1) === 1) Atomics.notify(words, word.state);
}

/** Keeps the first failure's text for the caller, and hands out no more work. */
function reportFailure(words: Int32Array, error: unknown): void {
  Atomics.store(words, word.next, at(words, word.count));
  if (Atomics.compareExchange(words, word.failed, 0, 1) !== 0) return;
  const text = Array.from(String(error)).slice(0, failureWords);
  text.forEach((character, position) => {
    words[word.failureText + position] = character.codePointAt(0) ?? 0;
  });
  words[word.failureLength] = text.length;
}

function serve({ memory, control, thread }: WorkerStart): void {
  const words = new Int32Array(memory.buffer, control, controlWords);
  const kernels: Run[] = [];
  const kernel = (id: number): Run => {
    const known = kernels[id];
    if (known !== undefined) return known;
    const table = new Int32Array(memory.buffer, at(words, word.kernelTable) >>> 0, 2 * id + 2);
    const bytes = new Uint8Array(memory.buffer, at(table, 2 * id) >>> 0, at(table, 2 * id + 1));
    const run = instantiate(bytes.slice() as Uint8Array<ArrayBuffer>, memory); // a module is not read from shared memory
    kernels[id] = run;
    return run;
  };
  for (let seen = 0; ; ) {
    seen = awaitLaunch(words, seen);
    if (Atomics.load(words, word.stop) !== 0) return;
    if (!join(words)) continue;
    try {
      runChunks(words, kernel(at(words, word.kernel)), thread);
    } catch (error) {
      reportFailure(words, error);
    }
    leave(words);
  }
}

/** Waits for the start message, answers, and serves; a page's worker ends itself afterwards. */
function listen(): void {
  const node = globalThis.process?.getBuiltinModule?.('node:worker_threads');
  if (node !== undefined) {
    const { parentPort } = node;
    parentPort?.once('message', (start: WorkerStart) => {
      parentPort.postMessage('ready');
      serve(start);
    });
    return;
  }
  globalThis.onmessage = (event: MessageEvent<WorkerStart>) => {
    globalThis.postMessage('ready');
    serve(event.data);
    globalThis.close();
  };
}

listen();
