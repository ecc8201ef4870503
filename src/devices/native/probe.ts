/**
 * Run by itself in a process of its own: loads koffi, the runtime and each BLAS that its arguments name, and says a line
 * of JSON for each that worked. A library that aborts takes this process down, and not the one that asked.
 */
import { readdirSync } from 'node:fs';
import { type BlasProduct, blasWords, loadBlas } from './blas.js';
import { loadRuntime } from './library.js';

const [, , runtimePath = '', core = '', ...candidates] = process.argv;
const size = 256;
const rounds = 5;

const say = (fact: object): void => {
  process.stdout.write(`${JSON.stringify(fact)}\n`);
};

const library = await loadRuntime(runtimePath);
say({ loaded: true });
const base = library.reserve(2 ** 22);
const pool = library.poolOpen(1);
const multiplyKernel = library.symbol(library.load(runtimePath), 'sluice_blas');

/** Threads of this process; 0 where the system does not say. */
function threadCount(): number {
  try {
    return readdirSync('/proc/self/task').length;
  } catch {
    return 0;
  }
}

/** GFLOP/s of a product of a plain and a turned matrix of small whole numbers, whose sums are exact. */
function multiply(sgemm: number, m: number, n: number, k: number): number {
  const [a, b, c] = [base, base + 4 * m * k, base + 4 * (m * k + k * n)];
  const left = Float32Array.from({ length: m * k }, (_, i) => (i % 7) - 3);
  const right = Float32Array.from({ length: n * k }, (_, i) => (i % 5) - 2);
  library.copyIn(a, left, left.byteLength);
  library.copyIn(b, right, right.byteLength);
  const matrix = (address: number, rowStride: number, columnStride: number) => ({
    ...{ address, batchStride: 0, rowStride, columnStride },
  });
  const product: BlasProduct = {
    ...{ batch: 1, m, n, k, accumulate: false },
    ...{ a: matrix(a, k, 1), b: matrix(b, 1, k), c: matrix(c, n, 1) },
  };
  const { words = new Float64Array(), items = 0 } = blasWords(sgemm, product, 1) ?? {};
  const began = performance.now();
  library.launch(pool, multiplyKernel, words, words.length, items, 1, 0);
  const seconds = (performance.now() - began) / 1000;
  const result = new Float32Array(m * n);
  library.copyOut(result, c, result.byteLength);
  for (let at = 0; at < m * n; at++) {
    let sum = 0;
    const [row, column] = [Math.floor(at / n), at % n];
    for (let i = 0; i < k; i++) sum += (left[row * k + i] ?? 0) * (right[column * k + i] ?? 0);
    if (sum !== result[at]) throw new Error(`a product of whole numbers is ${result[at]} instead of ${sum}`);
    if (at >= 64) break;
  }
  return (2 * m * n * k) / seconds / 1e9;
}

for (const path of candidates) {
  say({ trying: path });
  const threads = threadCount();
  const found = loadBlas(library, path, core);
  if ('problem' in found) {
    say({ path, problem: found.problem });
    continue;
  }
  try {
    multiply(found.sgemm, 5, 7, 3);
    let speed = 0;
    for (let round = 0; round < rounds; round++) speed = Math.max(speed, multiply(found.sgemm, size, size, size));
    const more = threadCount() - threads;
    // Threads of its own would fight with ours.
    if (more > 0) say({ path, problem: `it computes on ${more} threads more than the one that it is told to take` });
    else say({ path, name: found.name, file: found.file, core: found.core, speed });
  } catch (error) {
    say({ path, problem: String(error) });
  }
}
