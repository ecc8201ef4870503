import { EventLoop } from '../base/event-loop.js';
import type { Device } from '../devices/device.js';
import type { CausalModel } from '../models/causal-model.js';
import { Reader } from './reader.js';
import { notFinite, penalize } from './sampling.js';

export interface BeamOptions {
  /** Sequences that are followed at once. */
  readonly beams: number;
  /** The sum of logarithms of probabilities is divided by the length to this power: above 0 longer texts win. */
  readonly lengthPenalty: number;
  readonly repetitionPenalty: number;
  readonly maxTokens: number;
  /** Tokens that end a sequence; they are not given out. */
  readonly ends: ReadonlySet<number>;
  /** Only tokens below this are said; all by default. */
  readonly vocabulary?: number;
  /** Whether a continuation of the prompt is at its end for another reason. */
  readonly isFinished?: (tokens: readonly number[]) => boolean;
  readonly signal?: AbortSignal | undefined;
}

interface Candidate {
  /** Its beam, by place. */
  readonly row: number;
  readonly token: number;
  /** The sum of logarithms of probabilities. */
  readonly score: number;
}

interface Finished {
  readonly tokens: readonly number[];
  /** By the length penalty. */
  readonly score: number;
}

/**
 * The likeliest continuation of a prompt that a search along `beams` sequences finds, token for token as Transformers
 * defines it (num_beams, length_penalty, early_stopping False); the token that ends it left out.
 * @throws SluiceError `shape` for a prompt longer than the model's positions, `diverged` for logits that are not finite.
 */
export async function beamSearch(
  device: Device,
  model: CausalModel,
  prompt: readonly number[],
  options: BeamOptions,
): Promise<readonly number[]> {
  const { beams, lengthPenalty, maxTokens, ends, isFinished } = options;
  const reader = new Reader(device, model, prompt);
  const eventLoop = new EventLoop();
  // Enough that as many sequences go on, should all the likeliest end.
  const width = Math.max(2, 1 + ends.size) * beams;
  let scores: readonly number[] = [0];
  let finished: readonly Finished[] = [];
  try {
    for (let length = 1; ; length++) {
      await eventLoop.look(options.signal);
      const rows = (await reader.logits()).map((logits, row) => {
        return logProbabilities(logits, reader.sequences[row] ?? [], options.repetitionPenalty);
      });
      const candidates = likeliest(rows, scores, width, options.vocabulary);
      const tokensOf = ({ row, token }: Candidate): number[] => [
        ...(reader.sequences[row] ?? []).slice(prompt.length),
        token,
      ];
      const ended = candidates.map(
        (one) => ends.has(one.token) || length >= maxTokens || isFinished?.(tokensOf(one)) === true,
      );
      const found = candidates.flatMap((one, place): Finished[] => {
        if (ended[place] !== true || place >= beams) return [];
        const tokens = tokensOf(one);
        return [
          { tokens: ends.has(one.token) ? tokens.slice(0, -1) : tokens, score: one.score / length ** lengthPenalty },
        ];
      });
      finished = [...finished, ...found].sort((a, b) => b.score - a.score).slice(0, beams);
      const going = candidates.filter((_, place) => ended[place] !== true).slice(0, beams);
      const [best] = going;
      const worst = finished.length === beams ? (finished.at(-1)?.score ?? 0) : Number.NEGATIVE_INFINITY;
      if (best === undefined || !(best.score / length ** lengthPenalty > worst)) break;
      scores = going.map(({ score }) => score);
      reader.extend(
        going.map(({ row }) => row),
        going.map(({ token }) => token),
      );
    }
  } finally {
    reader.dispose();
  }
  return finished[0]?.tokens ?? [];
}

/** The logarithms of softmax, then the repetition penalty. */
function logProbabilities(logits: ArrayLike<number>, seen: readonly number[], penalty: number): Float64Array {
  const values = Float64Array.from(logits);
  const largest = values.reduce((most, value) => (value > most || Number.isNaN(value) ? value : most));
  if (!Number.isFinite(largest)) throw notFinite(largest);
  const total = values.reduce((sum, value) => sum + Math.exp(value - largest), 0);
  const shift = largest + Math.log(total);
  return penalize(
    values.map((value) => value - shift),
    seen,
    penalty,
  );
}

/** The best continuations of all beams, best first; of equals the earlier beam's, then the smaller token. */
function likeliest(
  rows: readonly Float64Array[],
  scores: readonly number[],
  count: number,
  vocabulary = Number.POSITIVE_INFINITY,
): Candidate[] {
  const best: Candidate[] = [];
  rows.forEach((row, place) => {
    const before = scores[place] ?? 0;
    for (let token = 0; token < Math.min(row.length, vocabulary); token++) {
      const score = before + (row[token] ?? 0);
      const last = best[count - 1];
      if (last !== undefined && score <= last.score) continue;
      let at = best.length;
      while (at > 0 && score > (best[at - 1]?.score ?? 0)) at--;
      best.splice(at, 0, { row: place, token, score });
      best.length = Math.min(best.length, count);
    }
  });
  return best;
}
