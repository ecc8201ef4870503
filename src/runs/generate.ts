import { SluiceError } from '../base/errors.js';
import { EventLoop } from '../base/event-loop.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import { plural } from '../base/plural.js';
import { randomKey } from '../base/random.js';
import type { Tokenizer } from '../data/tokenizer.js';
import type { Device } from '../devices/device.js';
import { Mode } from '../layers/mode.js';
import type { CausalModel } from '../models/causal-model.js';
import { noGrad, scope, type Tensor, tensor } from '../tensor/index.js';
import { checkSampling, type GenerationSettings, generationDefaults, sample } from './sampling.js';

/** What is left out is as in `generationDefaults`. */
export interface GenerateOptions extends Partial<GenerationSettings> {
  readonly prompt: string;
  /** Tokens that end the text; the tokenizer's end of text by default. */
  readonly endTokens?: readonly number[];
  /** Begins the text where the prompt is empty; the tokenizer's end of text by default. */
  readonly beginToken?: number | undefined;
  /** Ends the generation before its next token: its reason is thrown. */
  readonly signal?: AbortSignal;
}

/** A piece of generated text; `tokens` counts those generated so far. */
export interface GeneratedPiece {
  readonly text: string;
  readonly tokens: number;
}

/**
 * Continues a prompt, giving out text as it comes: whole characters only; one that the end cuts is left out. An empty prompt
 * begins a document, or a line where the tokenizer has no end of text. Ends at `maxTokens`, a stop text or the end of
 * text. When the model's positions are used up, it goes on from the last half of them.
 * @throws SluiceError `name` for an option that it does not know; `argument` for sampling options out of range, or an empty prompt where the vocabulary has neither end
 * of text nor line break; `data` for a character that the vocabulary lacks; `shape` for a prompt longer than the model's
 * positions.
 */
export async function* generate(
  device: Device,
  model: CausalModel,
  tokenizer: Tokenizer,
  given: GenerateOptions,
): AsyncGenerator<GeneratedPiece> {
  const options = completeOptions<GenerateOptions, typeof generateOptions>('generate', given, generateOptions);
  checkSampling(options);
  const ids = promptIds(tokenizer, options);
  const ends = new Set(endsOf(tokenizer, options.endTokens));
  if (ids.length >= model.maxPositions) {
    throw new SluiceError('shape', {
      rule: `a prompt leaves room in the model's ${plural(model.maxPositions, 'position')}`,
      received: plural(ids.length, 'token'),
      remedy: 'Shorten the prompt, or train a model with a longer context.',
    });
  }
  const key = randomKey(options.seed, 'sampling');
  const caches = model.makeCaches(1);
  const stopper = new Stopper(options.stop);
  const eventLoop = new EventLoop();
  const decoder = tokenizer.streamDecoder();
  const seen = [...ids];
  let fresh: readonly number[] = ids;
  try {
    for (let count = 0; count < options.maxTokens; count++) {
      await eventLoop.look(options.signal);
      if ((caches[0]?.length ?? 0) + fresh.length > model.maxPositions) {
        for (const cache of caches) cache.clear();
        fresh = seen.slice(-Math.ceil(model.maxPositions / 2));
      }
      const window = fresh;
      const logits = scope(device, () => noGrad(() => lastLogits(device, model, window, caches)));
      const id = sample(spoken(await logits.toArray(), tokenizer), seen, options, key, count);
      logits.dispose();
      if (ends.has(id)) break;
      seen.push(id);
      fresh = [id];
      const text = stopper.push(decoder.push(id));
      if (text !== '') yield { text, tokens: count + 1 };
      if (stopper.stopped) return;
    }
    // Bytes that begin a character come out of a decoder as U+FFFD when they stay alone.
    const rest = stopper.push(decoder.flush().replace(/\ufffd+$/, '')) + stopper.flush();
    if (rest !== '') yield { text: rest, tokens: seen.length - ids.length };
  } finally {
    for (const cache of caches) cache.dispose();
  }
}

const generateOptions = {
  ...generationDefaults,
  ...{ prompt: '', endTokens: undefined, beginToken: undefined, signal: undefined },
} satisfies OptionTable<GenerateOptions>;

const endsOf = ({ endOfText }: Tokenizer, given: readonly number[] = []): readonly number[] =>
  given.length > 0 || endOfText === undefined ? given : [endOfText];

/** Vocabularies are padded to round sizes: what the tokenizer has no text for is not said. */
const spoken = <T extends Float32Array | Float64Array | Int32Array>(logits: T, { vocabularySize }: Tokenizer) =>
  logits.subarray(0, vocabularySize);

/** The logits of the token after the window. Nothing is awaited in here: what runs meanwhile keeps its own scopes. */
function lastLogits(
  device: Device,
  model: CausalModel,
  window: readonly number[],
  caches: ReturnType<CausalModel['makeCaches']>,
): Tensor {
  const tokens = tensor(device, window, [1, window.length], { dtype: 'int32' });
  return model.forward(tokens, Mode.evaluation(), caches).select(1, window.length - 1);
}

function promptIds(
  tokenizer: Tokenizer,
  { prompt, beginToken }: Pick<GenerateOptions, 'prompt' | 'beginToken'>,
): number[] {
  const ids = [...(tokenizer.encodeInput?.(prompt) ?? tokenizer.encode(prompt))];
  if (ids.length > 0) return ids;
  const first = beginToken ?? tokenizer.endOfText;
  return first === undefined ? [...tokenizer.encode(beginning(tokenizer))] : [first];
}

/**
 * What stands before a text that nothing begins: the empty prompt where the tokenizer has an end of text, which then
 * starts a document, else a line break.
 * @throws SluiceError `argument` where the vocabulary has neither.
 */
export function beginning(tokenizer: Tokenizer): string {
  if (tokenizer.endOfText !== undefined) return '';
  try {
    tokenizer.encode('\n');
    return '\n';
  } catch (cause) {
    throw new SluiceError('argument', {
      rule: 'a text begins with a prompt where the vocabulary has neither an end of text nor a line break',
      received: '',
      remedy: 'Give a prompt with the first words of a text.',
      cause,
    });
  }
}

/** Holds text back while it may be the beginning of a stop text. */
class Stopper {
  readonly #stops: readonly string[];
  #held = '';
  stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '');
  }

  push(text: string): string {
    if (this.stopped) return '';
    this.#held += text;
    const ends = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((at) => at >= 0);
    if (ends.length > 0) {
      this.stopped = true;
      return this.#release(Math.min(...ends));
    }
    let keep = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, this.#held.length); length > keep; length--) {
        if (this.#held.endsWith(stop.slice(0, length))) keep = length;
      }
    }
    return this.#release(this.#held.length - keep);
  }

  /** What was held and is no stop text after all. */
  flush(): string {
    return this.stopped ? '' : this.#release(this.#held.length);
  }

  #release(length: number): string {
    const text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return text;
  }
}
