/** How fast does text come out? The demo's size, one sequence, with the cache of keys and values. */
import { openSluice } from './lib/contenders.js';
import { demoTrainer } from './lib/demo-model.js';
import { median } from './lib/measure.js';
import { solo } from './lib/solo.js';

/** Letters alone: a tokenizer of the model's vocabulary that costs nothing. */
const tokenizer = {
  endOfText: undefined,
  encode: (text) => Uint32Array.from(text, (letter) => letter.codePointAt(0)),
  streamDecoder: () => ({ push: (id) => String.fromCodePoint(id), flush: () => '' }),
};

solo('generate', 'Generation, one sequence, temperature 0.8, top-p 0.95', async (quick) => {
  const { generate } = await import('../dist/runs/generate.js');
  const { device, description } = await openSluice();
  const { model, size } = await demoTrainer(device, quick ? { layers: 1 } : {});
  const sampling = { temperature: 0.8, topK: 0, topP: 0.95, minP: 0, repetitionPenalty: 1, stop: [], seed: 1 };
  const [first, later] = [[], []];
  for (let run = 0; run < (quick ? 1 : 5); run++) {
    let before = performance.now();
    const prompt = 'Call me Ishmael.';
    for await (const { tokens } of generate(device, model, tokenizer, { ...sampling, prompt, maxTokens: 100 })) {
      const now = performance.now();
      (tokens === 1 ? first : later).push(now - before);
      before = now;
    }
  }
  await device.close();
  const rows = [
    {
      model: size,
      'ms to the first token': median(first),
      'ms a token': median(later),
      'tokens/s': 1000 / median(later),
    },
  ];
  return { description, rows, findings: [{ what: 'Tokens per second', value: 1000 / median(later) }] };
});
