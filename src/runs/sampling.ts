import { SluiceError } from '../base/errors.js';
import { type RandomKey, randomUniform } from '../base/random.js';

export interface SamplingOptions {
  /** 0 takes the likeliest token. */
  readonly temperature: number;
  /** Keep the k likeliest; 0 keeps all. */
  readonly topK: number;
  /** Keep the likeliest tokens that together have this probability; 1 keeps all. */
  readonly topP: number;
  /** Keep tokens with at least this share of the likeliest one's probability; 0 keeps all. */
  readonly minP: number;
  /** Divides (or multiplies, where negative) the logits of tokens already seen; 1 changes nothing. */
  readonly repetitionPenalty: number;
}

/** Everything that decides which text follows a prompt. */
export interface GenerationSettings extends SamplingOptions {
  /** More than 1 searches for the likeliest text along so many sequences, in place of sampling. */
  readonly beams: number;
  /** Above 0 a beam search prefers longer texts, below 0 shorter ones: see `beamSearch`. */
  readonly lengthPenalty: number;
  readonly maxTokens: number;
  /** Texts that end the generation; they are not given out. */
  readonly stop: readonly string[];
  readonly seed: number;
}

/** Takes the likeliest token each time. */
export const greedy: SamplingOptions = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 };

/** What generation does unless told otherwise, in code and on the command line. */
export const generationDefaults: GenerationSettings = {
  temperature: 0.8,
  topK: 0,
  topP: 0.95,
  minP: 0,
  repetitionPenalty: 1,
  beams: 1,
  lengthPenalty: 1,
  maxTokens: 200,
  stop: [],
  seed: 0,
};

/** The same for a search along beams, which draws nothing. */
export const beamDefaults: GenerationSettings = { ...generationDefaults, ...greedy };

/** The settings by what was said. @throws SluiceError `argument` that names an option outside its range, or of no use. */
export function completeGeneration(given: Partial<GenerationSettings>): GenerationSettings {
  const { beams = 1 } = given;
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const settings: GenerationSettings = { ...(beams > 1 ? beamDefaults : generationDefaults), ...stated };
  checkSampling(settings);
  return settings;
}

/** @throws SluiceError `argument` that names the option outside its range. */
export function checkSampling(options: GenerationSettings): void {
  const isWhole = (value: number, least: number): boolean => Number.isSafeInteger(value) && value >= least;
  const ranges: readonly (readonly [Exclude<keyof GenerationSettings, 'stop'>, boolean, string])[] = [
    ['temperature', options.temperature >= 0 && options.temperature < Number.POSITIVE_INFINITY, 'at least 0'],
    ['topK', isWhole(options.topK, 0), 'a whole number, 0 for all'],
    ['topP', options.topP > 0 && options.topP <= 1, 'above 0 and at most 1'],
    ['minP', options.minP >= 0 && options.minP < 1, 'at least 0 and below 1'],
    ['repetitionPenalty', options.repetitionPenalty > 0, 'positive'],
    ['beams', isWhole(options.beams, 1) && options.beams <= 1024, 'a whole number from 1 to 1024'],
    ['lengthPenalty', Number.isFinite(options.lengthPenalty), 'finite'],
    ['maxTokens', isWhole(options.maxTokens, 1), 'a whole number from 1 on'],
    ['seed', isWhole(options.seed, 0), 'a whole number from 0 on'],
  ];
  for (const [name, holds, range] of ranges) {
    if (holds) continue;
    const remedy = `Write for example ${generationDefaults[name]}.`;
    throw new SluiceError('argument', { rule: `${name} is ${range}`, received: options[name], remedy });
  }
  if (options.beams === 1) {
    if (options.lengthPenalty === generationDefaults.lengthPenalty) return;
    throw new SluiceError('argument', {
      rule: 'lengthPenalty is of a search along beams',
      received: options.lengthPenalty,
      remedy: 'Give beams, 4 for example, or leave it out.',
    });
  }
  for (const name of ['temperature', 'topK', 'topP', 'minP'] as const) {
    if (options[name] === greedy[name]) continue;
    throw new SluiceError('argument', {
      rule: `a search along beams draws nothing: ${name} has no part in it`,
      received: options[name],
      remedy: `Leave ${name} out, or beams.`,
    });
  }
}

/**
 * Draws a token: repetition penalty, then temperature, top-k, top-p and min-p, in Hugging Face's order.
 * The draw is a function of the key and the index alone.
 */
export function sample(
  logits: ArrayLike<number>,
  seen: Iterable<number>,
  options: SamplingOptions,
  key: RandomKey,
  index: number,
): number {
  const penalized = penalize(logits, seen, options.repetitionPenalty);
  const likeliest = largestOf(penalized);
  if (options.temperature === 0) return likeliest;
  const top = penalized[likeliest] ?? 0;
  const weights = penalized.map((logit) => Math.exp((logit - top) / options.temperature));
  const kept = restrict(weights, options);
  let left = randomUniform(key, index) * sumOf(weights, kept);
  for (const id of kept) {
    left -= weights[id] ?? 0;
    if (left < 0) return id;
  }
  return likeliest;
}

/** The penalty for what was said before, on logits or logarithms of probabilities. */
export function penalize(logits: ArrayLike<number>, seen: Iterable<number>, penalty: number): Float64Array {
  const penalized = Float64Array.from(logits);
  if (penalty === 1) return penalized;
  for (const id of new Set(seen)) {
    const logit = penalized[id] ?? 0;
    penalized[id] = logit > 0 ? logit / penalty : logit * penalty;
  }
  return penalized;
}

/** The first index of the largest logit. */
function largestOf(logits: Float64Array): number {
  let likeliest = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? 0;
    if (Number.isNaN(logit)) throw notFinite(logit);
    if (logit > (logits[likeliest] ?? 0)) likeliest = id;
  }
  if (!Number.isFinite(logits[likeliest])) throw notFinite(logits[likeliest]);
  return likeliest;
}

export const notFinite = (received: number | undefined): SluiceError =>
  new SluiceError('diverged', {
    rule: 'a model gives finite logits',
    received,
    remedy: 'Train it anew with a lower learning rate.',
  });

const sumOf = (weights: Float64Array, ids: Iterable<number>): number => {
  let sum = 0;
  for (const id of ids) sum += weights[id] ?? 0;
  return sum;
};

/** The tokens that the options leave, likeliest first; `weights` are probabilities in units of the likeliest one's. */
function restrict(weights: Float64Array, { topK, topP, minP }: SamplingOptions): Uint32Array {
  const isBounded = topK > 0 && topK < weights.length;
  const first = isBounded ? ranked(weights, kthLargest(weights, topK)).subarray(0, topK) : undefined;
  const total = first === undefined ? weights.reduce((sum, weight) => sum + weight, 0) : sumOf(weights, first);
  const wanted = topP === 1 ? Number.POSITIVE_INFINITY : topP * total;
  const candidates = first ?? ranked(weights, thresholdOf(weights, wanted));
  let [count, covered] = [0, 0];
  for (const id of candidates) {
    const weight = weights[id] ?? 0;
    if (covered >= wanted || weight < minP) break;
    covered += weight;
    count++;
  }
  return candidates.subarray(0, count);
}

/** The tokens of at least this weight, likeliest first, the smaller number first among equals. */
function ranked(weights: Float64Array, least: number): Uint32Array {
  const ids: number[] = [];
  for (let id = 0; id < weights.length; id++) if ((weights[id] ?? 0) >= least) ids.push(id);
  return Uint32Array.from(ids).sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a - b);
}

const kthLargest = (weights: Float64Array, k: number): number => weights.slice().sort()[weights.length - k] ?? 0;

/** A weight above which there is enough: few tokens cover most of a trained model's vocabulary, and sorting all is slow. */
function thresholdOf(weights: Float64Array, wanted: number): number {
  for (const least of [2 ** -6, 2 ** -12, 2 ** -24]) {
    const covered = weights.reduce((sum, weight) => (weight >= least ? sum + weight : sum), 0);
    if (covered >= wanted) return least;
  }
  return 0;
}
