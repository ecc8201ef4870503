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

export const greedy: SamplingOptions = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 };

/** @throws SluiceError `argument` that names the option outside its range. */
export function checkSampling(options: SamplingOptions): void {
  const ranges: readonly (readonly [keyof SamplingOptions, boolean, string])[] = [
    ['temperature', options.temperature >= 0, 'at least 0'],
    ['topK', Number.isInteger(options.topK) && options.topK >= 0, 'a whole number, 0 for all'],
    ['topP', options.topP > 0 && options.topP <= 1, 'above 0 and at most 1'],
    ['minP', options.minP >= 0 && options.minP < 1, 'at least 0 and below 1'],
    ['repetitionPenalty', options.repetitionPenalty > 0, 'positive'],
  ];
  for (const [name, holds, range] of ranges) {
    if (!holds) throw new SluiceError('argument', { rule: `${name} is ${range}`, received: options[name] });
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
    throw new SluiceError('diverged', { rule: 'a model gives finite logits', received: likeliest?.logit });
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
