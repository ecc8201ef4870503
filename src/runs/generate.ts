import { SluiceError } from '../base/errors.js';
import { EventLoop } from '../base/event-loop.js';
import { checkOptions, type OptionTable } from '../base/options.js';
import { randomKey } from '../base/random.js';
import type { Tokenizer } from '../data/tokenizer.js';
import type { Device } from '../devices/device.js';
import type { CausalModel } from '../models/causal-model.js';
import { type BeamOptions, beamSearch } from './beam-search.js';
import { Reader } from './reader.js';
import { completeGeneration, type GenerationSettings, generationDefaults, sample } from './sampling.js';

/** What is left out is as in `generationDefaults`. */
export interface GenerateOptions extends Partial<GenerationSettings> {
  readonly prompt: string;
  /** The prompt has its special tokens spelled out, as a chat template leaves it: none are added. False by default. */
  readonly isFramed?: boolean;
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
 * text. When the model's positions are used up, it goes on from the last half of them. With `beams` above 1 the text comes
 * at the end, in one piece.
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
  checkOptions('generate', given, generateOptions);
  const { prompt, isFramed = false, endTokens, beginToken, signal, ...rest } = given;
  const settings = completeGeneration(rest);
  const ids = isFramed ? [...tokenizer.encode(prompt)] : promptIds(tokenizer, { prompt, beginToken });
  const stopper = new Stopper(settings.stop);
  const decoder = tokenizer.streamDecoder();
  const { vocabularySize: vocabulary } = tokenizer;
  const options = { ...settings, ends: new Set(endsOf(tokenizer, endTokens)), vocabulary, signal };
  const tokens =
    settings.beams === 1
      ? generateTokens(device, model, ids, options)
      : await beamSearch(device, model, ids, { ...options, ...stopping(tokenizer, settings) });
  let [count, held] = [0, ''];
  for await (const id of tokens) {
    count++;
    const text = stopper.push(decoder.push(id));
    if (settings.beams > 1) held += text;
    else if (text !== '') yield { text, tokens: count };
    if (stopper.stopped) break;
  }
  // Bytes that begin a character come out of a decoder as U+FFFD when they stay alone.
  const last = stopper.stopped ? '' : stopper.push(decoder.flush().replace(/\ufffd+$/, '')) + stopper.flush();
  if (held + last !== '') yield { text: held + last, tokens: count };
}

/** A beam ends where its text has a stop text. */
function stopping(tokenizer: Tokenizer, { stop }: GenerationSettings): Pick<BeamOptions, 'isFinished'> {
  const stops = stop.filter((text) => text !== '');
  if (stops.length === 0) return {};
  return {
    isFinished: (tokens) => {
      const text = tokenizer.decode(tokens);
      return stops.some((one) => text.includes(one));
    },
  };
}

/** Of which tokens a text is made. */
export interface TokenOptions extends GenerationSettings {
  /** Tokens that end the text; they are not given out. */
  readonly ends: ReadonlySet<number>;
  /** Vocabularies are padded to round sizes: only tokens below this are said; all by default. */
  readonly vocabulary?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The tokens after a prompt, drawn one by one. @throws SluiceError `shape` for a prompt longer than the model's positions. */
export async function* generateTokens(
  device: Device,
  model: CausalModel,
  prompt: readonly number[],
  options: TokenOptions,
): AsyncGenerator<number> {
  const reader = new Reader(device, model, prompt);
  const key = randomKey(options.seed, 'sampling');
  const eventLoop = new EventLoop();
  try {
    for (let count = 0; count < options.maxTokens; count++) {
      await eventLoop.look(options.signal);
      const [logits = new Float64Array()] = await reader.logits();
      const [seen = []] = reader.sequences;
      const id = sample(logits.subarray(0, options.vocabulary), seen, options, key, count);
      if (options.ends.has(id)) return;
      reader.extend([0], [id]);
      yield id;
    }
  } finally {
    reader.dispose();
  }
}

const generateOptions = {
  ...generationDefaults,
  ...{ prompt: '', isFramed: false, endTokens: undefined, beginToken: undefined, signal: undefined },
} satisfies OptionTable<GenerateOptions>;

const endsOf = ({ endOfText }: Tokenizer, given: readonly number[] = []): readonly number[] =>
  given.length > 0 || endOfText === undefined ? given : [endOfText];

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
