// How fast are matrix products, attention and launches of the wasm device?
// node bench/wasm-products.js [--threads N] [--no-relaxed] [--json]   (after npm run build)
import { parseArgs } from 'node:util';
import { attentionBackward, attentionForward } from '../dist/devices/wasm/attention.js';
import { matmul } from '../dist/devices/wasm/matmul.js';
import { WasmRuntime } from '../dist/devices/wasm/runtime.js';

const { values } = parseArgs({
  options: {
    threads: { type: 'string' },
    'no-relaxed': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '0.5' },
  },
});
const runtime = await WasmRuntime.create({
  relaxed: !values['no-relaxed'],
  ...(values.threads === undefined ? {} : { threads: Number(values.threads) }),
});
const budget = 1000 * Number(values.seconds);
const rows = [];

/** The best time of one call in milliseconds: on a shared machine the others measure the neighbours. */
function best(call) {
  for (let turn = 0; turn < 3; turn++) call();
  let least = Number.POSITIVE_INFINITY;
  const end = performance.now() + budget;
  do {
    const start = performance.now();
    call();
    least = Math.min(least, performance.now() - start);
  } while (performance.now() < end);
  return least;
}

function report(name, flops, milliseconds) {
  rows.push({ name, milliseconds, gflops: flops / milliseconds / 1e6 });
}

function block(length) {
  const pointer = runtime.arena.allocate(4 * length);
  const { f32 } = runtime.arena;
  for (let index = 0; index < length; index++) f32[pointer / 4 + index] = Math.sin(index);
  return pointer;
}

/** C = A @ B, either transposed in memory. */
function benchMatmul({ m, n, k, batch = 1, transposeA = false, transposeB = false }) {
  const a = block(batch * m * k);
  const b = block(batch * k * n);
  const c = block(batch * m * n);
  const options = {
    ...{ batch, m, n, k },
    a: { pointer: a, batchStride: m * k, rowStride: transposeA ? 1 : k, columnStride: transposeA ? m : 1 },
    b: { pointer: b, batchStride: k * n, rowStride: transposeB ? 1 : n, columnStride: transposeB ? k : 1 },
    c: { pointer: c, batchStride: m * n, rowStride: n },
  };
  const time = best(() => matmul(runtime, options));
  const layout = `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'}`;
  report(`matmul ${batch > 1 ? `${batch} x ` : ''}${m} x ${n} x ${k} ${layout}`, 2 * batch * m * n * k, time);
  for (const pointer of [a, b, c]) runtime.arena.free(pointer);
}

function benchAttention({ batch, length, heads, keyValueHeads = heads, headDim, causal }) {
  const queries = batch * length * heads * headDim;
  const operand = (count) => ({
    pointer: block(batch * length * count * headDim),
    ...{ batchStride: length * count * headDim, timeStride: count * headDim, headStride: headDim },
  });
  const options = {
    ...{
      batch,
      queryLength: length,
      keyLength: length,
      heads,
      keyValueHeads,
      headDim,
      causal,
      scale: 1 / Math.sqrt(headDim),
    },
    ...{ query: operand(heads), key: operand(keyValueHeads), value: operand(keyValueHeads), output: operand(heads) },
    ...{ outputGradient: operand(heads), queryGradient: operand(heads) },
    ...{ keyGradient: operand(keyValueHeads), valueGradient: operand(keyValueHeads) },
    logSumExp: block(batch * heads * length),
  };
  const flops = 4 * queries * (causal ? (length + 1) / 2 : length);
  const shape = `${batch} x ${length}, ${heads}/${keyValueHeads} heads of ${headDim}${causal ? ', causal' : ''}`;
  report(
    `attention forward ${shape}`,
    flops,
    best(() => attentionForward(runtime, options)),
  );
  report(
    `attention backward ${shape}`,
    2.5 * flops,
    best(() => attentionBackward(runtime, options)),
  );
}

function benchLaunch() {
  const kernel = runtime.kernel('empty', (module) => {
    module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  });
  for (const [name, count] of [
    ['one chunk', 1],
    ['two chunks', 2],
    ['64 chunks', 64],
  ]) {
    const time = best(() => {
      for (let turn = 0; turn < 1000; turn++) runtime.launch(kernel, [], count, 1);
    });
    rows.push({ name: `launch of ${name}`, microseconds: time });
  }
}

benchLaunch();
for (const size of [64, 128, 256, 512, 1024]) benchMatmul({ m: size, n: size, k: size });
for (const transposes of [{}, { transposeB: true }, { transposeA: true }])
  for (const shape of [
    { m: 2048, n: 768, k: 288 },
    { m: 2048, n: 4096, k: 288 },
    { m: 288, n: 768, k: 2048 },
  ])
    benchMatmul({ ...shape, ...transposes });
benchMatmul({ batch: 48, m: 64, n: 64, k: 64 });
for (const m of [1, 4, 8]) for (const transposeB of [false, true]) benchMatmul({ m, n: 4096, k: 2048, transposeB });
for (const causal of [true, false])
  for (const headDim of [32, 48, 64]) benchAttention({ batch: 8, length: 256, heads: 6, headDim, causal });
benchAttention({ batch: 1, length: 2048, heads: 6, keyValueHeads: 2, headDim: 48, causal: true });
await runtime.close();

const setup = { node: process.version, threads: runtime.threads, relaxed: runtime.relaxed };
if (values.json) console.log(JSON.stringify({ ...setup, rows }));
else {
  console.log(`Node ${setup.node}, ${setup.threads} threads, ${setup.relaxed ? 'with' : 'without'} relaxed SIMD`);
  for (const { name, milliseconds, gflops, microseconds } of rows) {
    const figures =
      microseconds === undefined
        ? `${milliseconds.toFixed(3).padStart(9)} ms ${gflops.toFixed(1).padStart(7)} GFLOP/s`
        : `${microseconds.toFixed(2).padStart(9)} µs`;
    console.log(`${name.padEnd(56)} ${figures}`);
  }
}
