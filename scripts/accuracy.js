/**
 * Sweeps every primitive and activation over float32: npm run accuracy -- [options]
 *
 *   --all            every one of the 2^32 inputs; else 2^24, spread over all exponents (see docs/accuracy.md)
 *   --bits N         2^N inputs, spread
 *   --lanes float32  only kernels that compute in these lanes (float32 or float64)
 *   --only NAME      only these functions (repeatable)
 *   --kind KIND      only primitives, activations or gates: primitive, activation, gate
 *   --device NAME    wasm, with and without fused multiply-add, or native; wasm
 *   --threads N      threads of the device; 1
 *   --fresh          forget what an interrupted sweep has done
 *
 * Ctrl-C keeps what is done; the same command goes on from there. The table goes to docs/accuracy.md at the end.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));

function options() {
  const { values } = parseArgs({
    options: {
      all: { type: 'boolean', default: false },
      bits: { type: 'string', default: '24' },
      lanes: { type: 'string' },
      kind: { type: 'string' },
      only: { type: 'string', multiple: true },
      device: { type: 'string', default: 'wasm' },
      threads: { type: 'string', default: '1' },
      fresh: { type: 'boolean', default: false },
    },
  });
  const bits = values.all ? 32 : Number(values.bits);
  if (!Number.isInteger(bits) || bits < 20 || bits > 32) throw new Error('--bits is a whole number from 20 to 32');
  if (!['wasm', 'native'].includes(values.device)) throw new Error('--device is wasm or native');
  return { ...values, bits, threads: Number(values.threads) };
}

/** What is done of a sweep, kept in a file so that it can be interrupted. */
function openState({ bits, device, fresh }) {
  const folder = `${root}.cache`;
  const file = `${folder}/accuracy-${device}-${bits}.json`;
  const known = !fresh && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const revive = (state) => ({
    ...state,
    ulp: Number(state.ulp),
    at: state.at.map(Number),
    nanAt: state.nanAt?.map(Number),
  });
  const states = new Map(Object.entries(known).map(([key, state]) => [key, revive(state)]));
  const text = (_, value) =>
    typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0)) ? String(value) : value;
  return {
    of: (key) => {
      const state = states.get(key) ?? { done: 0, ulp: 0, at: [], nanMismatches: 0, seconds: 0 };
      states.set(key, state);
      return state;
    },
    save: () => {
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, JSON.stringify(Object.fromEntries(states), text));
    },
  };
}

const clock = (seconds) =>
  seconds < 90
    ? `${Math.round(seconds)} s`
    : seconds < 5400
      ? `${Math.round(seconds / 60)} min`
      : `${(seconds / 3600).toFixed(1)} h`;

/** What is left, by the pace of the subject under way and, for those to come, of those done. */
function progress(states, total) {
  const done = states.reduce((sum, state) => sum + state.done, 0);
  const seconds = states.reduce((sum, state) => sum + state.seconds, 0);
  const left = done === 0 ? Number.NaN : (seconds / done) * (total - done);
  return `${((100 * done) / total).toFixed(1)}%, ${clock(left)} left`;
}

/** Equal kernels (elu's and celu's, say) are swept once; a kernel that a change leaves as it was is not swept again. */
const keyOf = (fingerprint, { values, outputs }, toText) => [fingerprint, ...values, ...outputs.map(toText)].join(' ');

async function openDevices({ device, threads }) {
  if (device === 'native') {
    const { openNative } = await import('../dist/devices/native/device.js');
    return [await openNative({ threads })];
  }
  const { openWasm } = await import('../dist/devices/wasm/device.js');
  return [await openWasm({ threads }), await openWasm({ threads, deterministic: true })];
}

async function run() {
  const chosen = options();
  const { subjects } = await import('./accuracy/subjects.js');
  const { fingerprint, sweep } = await import('./accuracy/sweep.js');
  const { append, table } = await import('./accuracy/report.js');
  const { toText } = await import('../dist/scalar/print.js');
  const { bits, lanes, kind, only } = chosen;
  const wanted = subjects().filter(
    (subject) =>
      (lanes === undefined || subject.lanes === lanes) &&
      (kind === undefined || subject.kind === kind) &&
      (only === undefined || only.includes(subject.name)) &&
      (bits <= 24 || subject.inputs.length === 1),
  );
  if (wanted.length === 0) throw new Error('nothing to sweep: no function is of that name, kind and lanes');
  const store = openState(chosen);
  const devices = await openDevices(chosen);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const states = [];
  for (const subject of wanted) states.push(store.of(keyOf(await fingerprint(devices, subject), subject, toText)));
  const unique = [...new Set(states)];
  let said = 0;
  for (const [i, subject] of wanted.entries()) {
    const truth = process.env.TC || bits > 24 ? 'formula in C' : 'formula';
    const tell = () => {
      if (performance.now() - said < 2000) return;
      said = performance.now();
      store.save();
      process.stderr.write(
        `\r${i + 1}/${wanted.length} ${subject.name} ${subject.part}: ${progress(unique, unique.length * 2 ** bits)}\x1b[K`,
      );
    };
    Object.assign(states[i], { bits, truth });
    await sweep(devices, subject, { bits, truth, state: states[i], tell, signal: stop.signal });
    store.save();
    if (stop.signal.aborted) break;
  }
  process.stderr.write('\n');
  for (const device of devices) await device.close();
  if (stop.signal.aborted) {
    process.stderr.write('interrupted: the same command goes on from here\n');
    process.exitCode = 130;
    return;
  }
  const results = wanted.map((subject, i) => ({ ...subject, ...states[i] }));
  console.log(table(results));
  const minutes = unique.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  append(results, { devices: devices.map(({ description }) => description), minutes });
}

run();
