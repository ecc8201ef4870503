import { describe, expect, test } from 'vitest';
import { ByteTokenizer } from '../../src/data/byte-tokenizer.js';
import { CharTokenizer } from '../../src/data/char-tokenizer.js';
import type { Tokenizer } from '../../src/data/tokenizer.js';
import { openReference } from '../../src/devices/reference/index.js';
import type { KeyValueCache } from '../../src/layers/key-value-cache.js';
import { Layer } from '../../src/layers/layer.js';
import { Mode } from '../../src/layers/mode.js';
import type { CausalModel } from '../../src/models/causal-model.js';
import { type Llama, llama } from '../../src/models/llama.js';
import { beginning, type GenerateOptions, generate } from '../../src/runs/generate.js';
import { memory, noGrad, type Tensor, tensor } from '../../src/tensor/index.js';
import { shake, valuesOf } from '../layers/support.js';

const device = await openReference();
const bytes = new ByteTokenizer();

/** Says one text, whatever it is asked. */
class Parrot extends Layer implements CausalModel {
  readonly vocabSize: number;
  readonly maxPositions = 1000;
  readonly #ids: number[];
  #said = 0;

  constructor(tokenizer: Tokenizer, text: string, end?: number) {
    super();
    this.vocabSize = tokenizer.vocabularySize;
    this.#ids = [...tokenizer.encode(text), ...(end === undefined ? [] : [end])];
  }

  forward(tokens: Tensor): Tensor {
    const length = tokens.shape[1] ?? 0;
    const next = this.#ids[this.#said++ % this.#ids.length] ?? 0;
    const logits = new Float32Array(length * this.vocabSize);
    logits[(length - 1) * this.vocabSize + next] = 100;
    return tensor(device, logits, [1, length, this.vocabSize]);
  }

  makeCaches(): KeyValueCache[] {
    return [];
  }
}

async function say(model: CausalModel, tokenizer: Tokenizer, options: Partial<GenerateOptions>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const { text } of generate(device, model, tokenizer, { prompt: 'a', temperature: 0, ...options })) {
    pieces.push(text);
  }
  return pieces;
}

describe('generated text', () => {
  test('is made with the options that it knows, and a misspelt one is refused', async () => {
    const misspelt = { prompt: 'a', maxToken: 3 };
    const first = generate(device, new Parrot(bytes, 'b'), bytes, misspelt).next();
    await expect(first).rejects.toThrow(/maxToken.*maxTokens/su);
  });

  test('leaves alone what other code computes while a token is read', async () => {
    const weight = tensor(device, [3], [1], { requiresGrad: true });
    const meanwhile: Tensor[] = [];
    class Watched extends Parrot {
      override forward(tokens: Tensor): Tensor {
        queueMicrotask(() => meanwhile.push(weight.mul(weight).sum()));
        return super.forward(tokens);
      }
    }
    await say(new Watched(bytes, 'b'), bytes, { maxTokens: 1 });
    meanwhile[0]?.backward();
    expect(await weight.grad?.toArray()).toEqual(Float64Array.of(6));
  });

  test('comes in whole characters, though tokens are bytes', async () => {
    const said = await say(new Parrot(bytes, '鲸é!'), bytes, { maxTokens: 6 });
    expect(said).toEqual(['鲸', 'é', '!']);
  });

  test('leaves out a character that its end cuts, and keeps one that the model writes as U+FFFD', async () => {
    expect(await say(new Parrot(bytes, '鲸'), bytes, { maxTokens: 2 })).toEqual([]);
    expect(await say(new Parrot(bytes, 'é鲸'), bytes, { maxTokens: 4 })).toEqual(['é']);
    expect(await say(new Parrot(bytes, 'a\ufffd'), bytes, { maxTokens: 4 })).toEqual(['a', '\ufffd']);
  });

  test.each([
    [['cd'], 'ab'],
    [['x', 'd'], 'abc'],
    [['abc', 'bc'], ''],
    [['bcd', 'c'], 'ab'],
    [['fg'], 'abcdef'],
    [[''], 'abcdef'],
    [[], 'abcdef'],
    [['fab'], 'abcdef'],
  ])('ends before the first of the stop texts %j', async (stop, wanted) => {
    expect((await say(new Parrot(bytes, 'abcdef'), bytes, { maxTokens: 6, stop })).join('')).toBe(wanted);
  });

  test('is held back only while it may begin a stop text', async () => {
    expect(await say(new Parrot(bytes, 'abcabd'), bytes, { maxTokens: 6, stop: ['abd'] })).toEqual(['abc']);
    expect(await say(new Parrot(bytes, 'aab'), bytes, { maxTokens: 3, stop: ['aac'] })).toEqual(['aab']);
    expect(await say(new Parrot(bytes, 'xyz'), bytes, { maxTokens: 3, stop: ['q'] })).toEqual(['x', 'y', 'z']);
  });

  test('ends at the end of text, which is not given out', async () => {
    const tokenizer = new CharTokenizer(['a', 'b', 'c'], { endOfText: true });
    const model = new Parrot(tokenizer, 'abc', tokenizer.endOfText);
    expect((await say(model, tokenizer, { maxTokens: 50 })).join('')).toBe('abc');
  });

  test('begins with a line where the prompt is empty and the tokenizer has no end of text', async () => {
    const tokenizer = new CharTokenizer(['\n', 'a', 'b', 'c']);
    expect(beginning(tokenizer)).toBe('\n');
    expect(beginning(bytes)).toBe('');
    expect((await say(new Parrot(tokenizer, 'abc'), tokenizer, { prompt: '', maxTokens: 3 })).join('')).toBe('abc');
  });

  test('ends when its signal is aborted', async () => {
    const signal = AbortSignal.abort();
    await expect(say(new Parrot(bytes, 'abc'), bytes, { signal })).rejects.toThrow();
  });
});

describe('a model', () => {
  const tokenizer = new CharTokenizer([...'abcdefgh'], { endOfText: false });
  const small = (): Llama =>
    shake(
      llama(device, {
        vocabSize: tokenizer.vocabularySize,
        dim: 8,
        layers: 2,
        heads: 4,
        kvHeads: 2,
        hidden: 8,
        context: 8,
      }),
    );

  /** The likeliest tokens without a cache. */
  async function plainly(model: Llama, start: readonly number[], count: number): Promise<number[]> {
    const ids = [...start];
    while (ids.length < start.length + count) {
      const logits = noGrad(() =>
        model.forward(tensor(device, Int32Array.from(ids), [1, ids.length]), Mode.evaluation()),
      );
      const last = (await valuesOf(logits)).slice(-tokenizer.vocabularySize);
      ids.push(last.indexOf(Math.max(...last)));
    }
    return ids.slice(start.length);
  }

  test('with its cache says what it says without', async () => {
    const model = small();
    const wanted = await plainly(model, [...tokenizer.encode('abc')], 5);
    const said = await say(model, tokenizer, { prompt: 'abc', maxTokens: 5 });
    expect([...tokenizer.encode(said.join(''))]).toEqual(wanted);
  });

  test('goes on from the last half of its positions when they are used up', async () => {
    const model = small();
    const said = [...tokenizer.encode((await say(model, tokenizer, { prompt: 'abc', maxTokens: 7 })).join(''))];
    const all = [...tokenizer.encode('abc'), ...said];
    // The ninth token is the first that the eight positions do not hold.
    expect(all.slice(9, 10)).toEqual(await plainly(model, all.slice(5, 9), 1));
  });

  test('gives back its memory', async () => {
    const model = small();
    await say(model, tokenizer, { maxTokens: 4 });
    const { liveBytes } = memory(device);
    await say(model, tokenizer, { maxTokens: 20 });
    await expect(say(model, tokenizer, { prompt: 'abcdefgh' })).rejects.toThrow(/leaves room/);
    for await (const _ of generate(device, model, tokenizer, { prompt: 'a', maxTokens: 9 })) break;
    expect(memory(device).liveBytes).toBe(liveBytes);
  });

  test.each<[Partial<GenerateOptions>, string]>([
    [{ prompt: '' }, 'argument'],
    [{ maxTokens: 0 }, 'argument'],
    [{ prompt: 'abcdefgh' }, 'shape'],
    [{ temperature: -1 }, 'argument'],
    [{ prompt: 'xyz' }, 'data'],
  ])('refuses %o', async (options, code) => {
    await expect(say(small(), tokenizer, options)).rejects.toMatchObject({ code });
  });
});
