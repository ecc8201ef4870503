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
  readonly maxTokens: number;
  /** Texts that end the generation; they are not given out. */
  readonly stop: readonly string[];
  readonly seed: number;
}

/** What generation does unless told otherwise, in code and on the command line. */
export const generationDefaults: GenerationSettings = {
  temperature: 0.8,
  topK: 0,
  topP: 0.95,
  minP: 0,
  repetitionPenalty: 1,
  maxTokens: 200,
  stop: [],
  seed: 0,
};

/** Takes the likeliest token each time. */
export const greedy: SamplingOptions = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 };

/** @throws SluiceError `argument` that names the option outside its range. */
export function checkSampling(options: GenerationSettings): void {
  const isWhole = (value: number, least: number): boolean => Number.isSafeInteger(value) && value >= least;
  const ranges: readonly (readonly [Exclude<keyof GenerationSettings, 'stop'>, boolean, string])[] = [
    ['temperature', options.temperature >= 0 && options.temperature < Number.POSITIVE_INFINITY, 'at least 0'],
    ['topK', isWhole(options.topK, 0), 'a whole number, 0 for all'],
    ['topP', options.topP > 0 && options.topP <= 1, 'above 0 and at most 1'],
    ['minP', options.minP >= 0 && options.minP < 1, 'at least 0 and below 1'],
    ['repetitionPenalty', options.repetitionPenalty > 0, 'positive'],
    ['maxTokens', isWhole(options.maxTokens, 1), 'a whole number from 1 on'],
    ['seed', isWhole(options.seed, 0), 'a whole number from 0 on'],
  ];
  for (const [name, holds, range] of ranges) {
    if (holds) continue;
    const remedy = `Write for example ${generationDefaults[name]}.`;
    throw new SluiceError('argument', { rule: `${name} is ${range}`, received: options[name], remedy });
  }
}

interface Candidate {
  readonly id: number;
  readonly logit: number;
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
  const penalized = Float64Array.from(logits);
  for (const id of new Set(seen)) {
    const logit = penalized[id] ?? 0;
    penalized[id] = logit > 0 ? logit / options.repetitionPenalty : logit * options.repetitionPenalty;
  }
  const ranked = Array.from(penalized, (logit, id): Candidate => ({ id, logit })).sort((a, b) => b.logit - a.logit);
  const [likeliest] = ranked;
  if (likeliest === undefined || !Number.isFinite(likeliest.logit) || penalized.some(Number.isNaN)) {
    throw new SluiceError('diverged', {
      rule: 'a model gives finite logits',
      received: likeliest?.logit,
      remedy: 'Train it anew with a lower learning rate.',
    });
  }
  if (options.temperature === 0) return likeliest.id;
  const kept = restrict(ranked, options);
  const total = kept.reduce((sum, { weight }) => sum + weight, 0);
  let left = randomUniform(key, index) * total;
  for (const { id, weight } of kept) {
    left -= weight;
    if (left < 0) return id;
  }
  return likeliest.id;
}

interface Weighted {
  readonly id: number;
  readonly weight: number;
}

/** The candidates that the options leave, with their unnormalized probabilities, likeliest first. */
function restrict(ranked: readonly Candidate[], { temperature, topK, topP, minP }: SamplingOptions): Weighted[] {
  const top = ranked[0]?.logit ?? 0;
  const first = topK > 0 ? ranked.slice(0, topK) : ranked;
  const weighted = first.map(({ id, logit }): Weighted => ({ id, weight: Math.exp((logit - top) / temperature) }));
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
  const kept: Weighted[] = [];
  let covered = 0;
  for (const candidate of weighted) {
    if (covered >= topP * total || candidate.weight < minP) break;
    kept.push(candidate);
    covered += candidate.weight;
  }
  return kept;
}
