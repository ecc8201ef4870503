/**
 * Holds the readers of safetensors files and shard indexes against damaged input: each is read, or refused with a
 * `format` error, in bounded time and without a change to any prototype. npm run fuzz -- [options]
 *
 *   --inputs N   how many inputs; 1,000,000
 *   --seed N     of everything random; 1. A failure names its seed and number, which give the same input again
 *   --first N    the number of the first input; 0
 *
 * Inputs are well-formed files of which texts, numbers, bytes, the length of the header or the size were changed.
 */
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
  },
});
const [inputs, seed, first] = [Number(values.inputs), Number(values.seed), Number(values.first)];
const slowest = 2000;
// Stacks take most of the time of a refusal; a failure can be had again with one.
if (inputs > 1) Error.stackTraceLimit = 0;

const [{ SluiceError }, { parseSafetensors }, { parseHeader }, { parseShardIndex }, { threefry }] = await Promise.all([
  import('../dist/base/errors.js'),
  import('../dist/formats/safetensors.js'),
  import('../dist/formats/safetensors-header.js'),
  import('../dist/formats/safetensors-sharded.js'),
  import('../dist/base/random.js'),
]);

/** xorshift128, begun anew for each input so that any one can be had again. */
class Random {
  constructor(number) {
    const key = [seed, 0, number, Math.floor(number / 2 ** 32)];
    [this.a, this.b] = threefry(...key);
    [this.c, this.d] = threefry(key[0], 1, key[2], key[3]);
    this.d |= 1;
  }

  below(limit) {
    let t = this.d;
    const s = this.a;
    this.d = this.c;
    this.c = this.b;
    this.b = s;
    t ^= t << 11;
    t ^= t >>> 8;
    this.a = t ^ s ^ (s >>> 19);
    return (this.a >>> 0) % limit;
  }

  of(list) {
    return list[this.below(list.length)];
  }
}

const member = (name, dtype, shape, begin, end) =>
  `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${begin},${end}]}`;
const headers = [
  ['{}', 0],
  [`{${member('w', 'F32', '2', 0, 8)}}`, 8],
  [`{"__metadata__":{"format":"pt"},${member('a', 'F32', '2,2', 0, 16)},${member('b', 'BF16', '2', 16, 20)}}`, 20],
  [`{${member('s', 'F16', '', 0, 2)},${member('empty', 'F32', '0,7', 2, 2)},${member('i', 'I64', '1', 2, 10)}}`, 10],
  [`{${member('\u00e9', 'F64', '1', 0, 8)},${member('q', 'F4', '2,2', 8, 10)},"__metadata__":{"a":"\\u0061"}} `, 10],
];
const indexes = [
  '{"metadata":{"total_size":24},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}',
  '{"weight_map":{"layers.0.w":"model.safetensors"},"metadata":{"total_parameters":1,"nested":[{"x":null},true,1e3]}}',
];
const numbers = [
  '-1',
  '0',
  '1',
  '8',
  '1.5',
  '1e3',
  '-0',
  '00',
  '4294967296',
  '9007199254740991',
  '9007199254740993',
].concat(['18446744073709551615', '1e999', '9'.repeat(40), 'NaN', '"1"', 'null', '[0]', '[]', '{}']);
const texts = [
  '"',
  '\\',
  '\\u0000',
  '\\ud800',
  '\\u0061',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  ' ',
  '\t',
  '\n',
  '\0',
  '\ufeff',
]
  .concat(['"__proto__"', '"constructor"', '"__metadata__"', '"dtype"', '"shape"', '"data_offsets"', '"F31"', '"I4"'])
  .concat(['true', 'null', '[[', '[[[[[[[[', '{"a":', '"\\', 'é', '\u{1f600}', '\ud83d', '../x.safetensors', '%2e%2e']);

/** A text with some pieces replaced, removed, doubled or put in. */
function changed(random, text, others) {
  let result = text;
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const at = random.below(result.length + 1);
    const end = Math.min(result.length, at + random.below(12));
    const way = random.below(6);
    if (way === 0) result = result.slice(0, at) + random.of(texts) + result.slice(at);
    else if (way === 1) result = result.slice(0, at) + result.slice(end);
    else if (way === 2) result = result.slice(0, end) + result.slice(at);
    else if (way === 3) result = result.slice(0, at) + random.of(texts) + result.slice(end);
    else if (way === 4) result = result.slice(0, at) + random.of(others).slice(at);
    else result = replaceNumber(random, result);
  }
  return result;
}

function replaceNumber(random, text) {
  const found = [...text.matchAll(/\d+/g)];
  if (found.length === 0) return text + random.of(numbers);
  const { 0: digits, index } = random.of(found);
  const other = random.below(3) === 0 ? String(random.below(64)) : random.of(numbers);
  return text.slice(0, index) + other + text.slice(index + digits.length);
}

const encoder = new TextEncoder();
const lengths = [0n, 1n, 7n, 8n, 100_000_000n, 100_000_001n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

function file(random) {
  const [header, dataLength] = random.of(headers);
  const text =
    random.below(8) === 0
      ? header
      : changed(
          random,
          header,
          headers.map(([other]) => other),
        );
  const bytes = encoder.encode(text);
  const result = new Uint8Array(8 + bytes.length + dataLength + (random.below(12) === 0 ? random.below(9) : 0));
  const length = random.below(12) === 0 ? random.of(lengths) : BigInt(bytes.length + (random.below(24) === 0 ? 1 : 0));
  new DataView(result.buffer).setBigUint64(0, length, true);
  result.set(bytes, 8);
  for (let flips = random.below(5) === 0 ? 1 + random.below(6) : 0; flips > 0; flips--) {
    result[random.below(result.length)] = random.below(256);
  }
  return random.below(10) === 0 ? result.subarray(0, random.below(result.length + 1)) : result;
}

const floats = new Set(['F32', 'F16', 'BF16', 'F64']);

/** Reads all that there is to read. */
function readFile(bytes) {
  parseHeader(bytes, bytes.length);
  const opened = parseSafetensors(bytes);
  for (const name of opened.names()) {
    const { dtype, byteLength } = opened.info(name);
    if (opened.read(name).length !== byteLength) throw new Error('a tensor has the bytes that its header says');
    if (floats.has(dtype)) opened.readFloat32(name);
  }
}

const outcomes = new Map();
const count = (outcome) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
const properties = () => Object.getOwnPropertyNames(Object.prototype).length;
const before = properties();

function fail(number, bytes, reason) {
  console.error(`input ${number} of seed ${seed}: ${reason}\n${Buffer.from(bytes).toString('base64')}`);
  process.exit(1);
}

const cpu = () => process.cpuUsage().user / 1000;
let worst = 0;
const began = performance.now();
for (let number = first; number < first + inputs; number++) {
  const random = new Random(number);
  const isIndex = random.below(5) === 0;
  const bytes = isIndex ? encoder.encode(changed(random, random.of(indexes), indexes)) : file(random);
  const [start, computed] = [performance.now(), cpu()];
  try {
    if (isIndex) parseShardIndex(bytes);
    else readFile(bytes);
    count(isIndex ? 'an index was read' : 'a file was read');
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'format') fail(number, bytes, error?.stack ?? error);
    count(error.rule.replaceAll(/\b(tensor|shape of|data_offsets of|dtype of) .*/gs, '$1 …'));
  }
  // A process may be stopped for long: what counts is the time that it computed.
  const took = Math.min(performance.now() - start, cpu() - computed);
  worst = Math.max(worst, took);
  if (took > slowest) fail(number, bytes, `it took ${took} ms`);
}
if (properties() !== before) fail(first + inputs, new Uint8Array(), 'Object.prototype has changed');
const seconds = (performance.now() - began) / 1000;
for (const [outcome, times] of [...outcomes].sort(([, a], [, b]) => b - a)) console.log(`${times}\t${outcome}`);
console.log(`${inputs} inputs, ${outcomes.size} outcomes, ${seconds.toFixed(0)} s, slowest ${worst.toFixed(1)} ms`);
