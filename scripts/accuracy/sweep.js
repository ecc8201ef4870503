/** Runs a kernel over blocks of inputs and compares it with the truth. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { kernelFlags } from '../../dist/devices/native/flags.js';
import { mapSource } from '../../dist/devices/native/map-source.js';
import { resource } from '../../dist/devices/native/resource.js';
import { mapKernel } from '../../dist/kernels/kernel.js';
import { compile } from './truth.js';
import { compileCheck } from './truth-c.js';

/** Inputs at a time: few enough for the caches, enough to hide what a launch costs. */
const block = 2 ** 17;

/** A number that looks random, of an index. */
function hash(index) {
  let h = Math.imul(index ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * Bit patterns of float32: all of them (`bits` 32), or one at random of every 2^(32 - bits) neighbours, the first of
 * them where it is a power of two, zero or infinity.
 * @param {Uint32Array} into the block's patterns
 */
function fillPatterns(into, first, bits) {
  const width = 32 - bits;
  if (width === 0) {
    for (let i = 0; i < into.length; i++) into[i] = first + i;
    return;
  }
  for (let i = 0; i < into.length; i++) {
    const low = ((first + i) << width) >>> 0;
    into[i] = (low & 0x7fffff) === 0 ? low : (low | (hash(first + i) & (2 ** width - 1))) >>> 0;
  }
}

/** The second input of a gate: the patterns of the same sample in another order. */
function fillPartners(into, first, bits) {
  const count = 2 ** bits;
  for (let i = 0; i < into.length; i++) {
    const place = Number((BigInt(first + i) * 0x9e3779b1n + 12345n) % BigInt(count));
    into[i] = ((place << (32 - bits)) | (hash(place + 7) & (2 ** (32 - bits) - 1))) >>> 0;
  }
}

const viewOf = (device, length) => ({
  buffer: device.allocate('float32', length),
  offset: 0,
  shape: [length],
  strides: [1],
});

/** One subject on one device: gives the outputs of a block of inputs. */
export function runner(device, { inputs, scalars, values, outputs }) {
  const kernel = mapKernel({ inputs, scalars, outputs });
  const from = inputs.map(() => viewOf(device, block));
  const to = outputs.map(() => viewOf(device, block));
  return {
    run: async (arrays) => {
      arrays.forEach((array, i) => {
        device.write(array, from[i]);
      });
      device.map(kernel, from, values, to);
      return Promise.all(to.map((view) => device.read(view)));
    },
    free: () => {
      for (const { buffer } of [...from, ...to]) device.free(buffer);
    },
  };
}

/** What decides about a subject's results: its instructions on native, else the modules that its kernels become on each device. */
export async function fingerprint(devices, subject) {
  const hash = createHash('sha256');
  if (devices[0].name === 'native') return hash.update(nativeText(subject)).digest('hex').slice(0, 16);
  const { Module } = WebAssembly;
  WebAssembly.Module = class extends Module {
    constructor(bytes) {
      super(bytes);
      hash.update(bytes);
    }
  };
  try {
    for (const device of devices) {
      const { run, free } = runner(device, subject);
      await run(subject.inputs.map(() => new Float32Array(block)));
      free();
    }
  } finally {
    WebAssembly.Module = Module;
  }
  return hash.digest('hex').slice(0, 16);
}

/** A kernel's text as the processor runs it, without its name and what it asks memory for: a change of either changes no result. */
function nativeText({ inputs, scalars, outputs }) {
  const slots = Array.from({ length: inputs.length + outputs.length }, () => ({
    type: 'float32',
    spread: 'contiguous',
  }));
  const { name, code } = mapSource(mapKernel({ inputs, scalars, outputs }), { outer: 0, vectors: 4, slots });
  const text = code.replaceAll(name, 'kernel').replaceAll(/^.*__builtin_prefetch.*$/gm, '');
  const { status, stdout, stderr } = spawnSync('cc', [...kernelFlags(), '-S', '-x', 'c', '-o', '-', '-'], {
    input: `${resource('prelude.h')}\n${text}`,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`cc failed: ${stderr}`);
  return stdout;
}

/** The distance between neighbouring float32 numbers at the size of x, at least 2^-128. */
function unit(x) {
  const size = Math.abs(x);
  return size < 2 ** -105 ? 2 ** -128 : 2 ** (Math.floor(Math.log2(size)) - 23);
}

/** By the exponent's bits, the distance between neighbouring float32 numbers, at least 2^-128. */
const units = Float64Array.from({ length: 256 }, (_, exponent) => Math.max(2 ** -128, 2 ** (exponent - 150)));
const rounded = new Float32Array(block);
const roundedBits = new Uint32Array(rounded.buffer);

/** Holds results against the truth; `worst` is changed. `known` are results that were held already. */
function compare(actual, exact, arrays, worst, known) {
  rounded.set(exact);
  let limit = worst.ulp;
  for (let i = 0; i < block; i++) {
    const got = actual[i];
    if (known !== undefined && got === known[i]) continue;
    const bits = roundedBits[i];
    // Below a power of two, neighbours are half as far: what was rounded up to one counts in the smaller unit.
    const spacing = (bits & 0x7fffff) === 0 ? units[(bits >>> 23) & 0xff] / 2 : units[(bits >>> 23) & 0xff];
    if (Math.abs(got - exact[i]) <= limit * spacing) continue;
    note(got, exact[i], arrays, i, worst);
    limit = worst.ulp;
  }
}

function note(got, wanted, arrays, i, worst) {
  if (got === wanted) return;
  if (Number.isNaN(got) || Number.isNaN(wanted)) {
    if (Number.isNaN(got) !== Number.isNaN(wanted)) noteNan(worst, arrays, i);
    return;
  }
  const nearest = Math.fround(wanted);
  if (got === nearest && !Number.isFinite(nearest)) return;
  const comparable = Number.isFinite(got) && Number.isFinite(nearest);
  const ulp = comparable ? Math.abs(got - wanted) / unit(wanted) : Number.POSITIVE_INFINITY;
  if (ulp > worst.ulp) Object.assign(worst, { ulp, at: arrays.map((array) => array[i]) });
}

function noteNan(worst, arrays, i) {
  worst.nanMismatches++;
  const at = arrays.map((array) => array[i]);
  // A number is the better example.
  if (worst.nanAt === undefined || (worst.nanAt.some(Number.isNaN) && !at.some(Number.isNaN))) worst.nanAt = at;
}

/** Holds a block's results on each device against the expression as it stands, in float64. */
function byFormula({ inputs, scalars, values, outputs }) {
  const evaluate = compile(outputs, [...inputs, ...scalars], inputs.length);
  const exact = outputs.map(() => new Float64Array(block));
  return (arrays, all, state) => {
    evaluate(arrays, values, exact);
    let known;
    for (const results of all) {
      results.forEach((result, k) => {
        compare(result, exact[k], arrays, state, known?.[k]);
      });
      known = results;
    }
  };
}

/** The same by C; what is worse than all before counts as the formula says, and so does a block where the two differ. */
function byC(subject) {
  const { inputs, scalars, values, outputs } = subject;
  const check = compileCheck(subject, block);
  const evaluate = compile(outputs, [...inputs, ...scalars], inputs.length);
  const one = outputs.map(() => new Float64Array(1));
  const slowly = byFormula(subject);
  const [from, to] = [inputs, outputs].map((list) => new Float32Array(list.length * block));
  const join = (parts, whole) => {
    for (const [k, part] of parts.entries()) whole.set(part, k * block);
  };
  return (arrays, all, state) => {
    join(arrays, from);
    for (const results of all) {
      join(results, to);
      const { ulp, at, nans } = check(from, to, state.ulp);
      if (nans === 0 && ulp <= state.ulp) continue;
      const before = { ...state };
      evaluate(
        arrays.map((array) => [array[at]]),
        values,
        one,
      );
      if (nans === 0) for (const [k, result] of results.entries()) note(result[at], one[k][0], arrays, at, state);
      if (nans === 0 && Math.abs(state.ulp - ulp) < 1e-3) continue;
      Object.assign(state, before);
      slowly(arrays, [results], state);
    }
  };
}

/**
 * Sweeps a subject from a block on.
 * @param {object[]} devices that compute the same, the worst of which counts
 * @param {{ bits: number, truth: 'formula' | 'formula in C', state: object, tell: (state: object) => void, signal: AbortSignal }} options
 */
export async function sweep(devices, subject, { bits, truth, state, tell, signal }) {
  const runners = devices.map((device) => runner(device, subject));
  const hold = truth === 'formula' ? byFormula(subject) : byC(subject);
  const patterns = subject.inputs.map(() => new Uint32Array(block));
  const arrays = patterns.map((array) => new Float32Array(array.buffer));
  try {
    while (state.done < 2 ** bits && !signal.aborted) {
      const began = performance.now();
      patterns.forEach((array, k) => {
        (k === 0 ? fillPatterns : fillPartners)(array, state.done, bits);
      });
      const all = [];
      for (const { run } of runners) all.push(await run(arrays));
      hold(arrays, all, state);
      state.done += block;
      state.seconds += (performance.now() - began) / 1000;
      tell(state);
      await setImmediate(); // lets Ctrl-C in
    }
  } finally {
    for (const { free } of runners) free();
  }
}
