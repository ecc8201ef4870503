/** Trains in the background: a page's own thread must stay free for the page. */
import { CharTokenizer, generate, greedy, llama, openWasm, train } from 'sluice/browser-train';
import type { Message, Request } from './messages.js';

const tell = (message: Message): void => self.postMessage(message);
const sampleEvery = 50;

async function run({ text, steps }: Request): Promise<void> {
  const device = await openWasm();
  const tokenizer = new CharTokenizer([...new Set(text)]);
  const model = llama(device, { vocabSize: tokenizer.vocabularySize, dim: 64, layers: 2, heads: 4, context: 64 });
  const write = async (step: number): Promise<void> => {
    const prompt = [...text].slice(0, 5).join('');
    const sampling = { ...greedy, temperature: 0.7, prompt, maxTokens: 59, stop: [], seed: step };
    let written = prompt;
    for await (const piece of generate(device, model, tokenizer, sampling)) written += piece.text;
    tell({ kind: 'sample', step, text: written });
  };
  tell({ kind: 'started', device: device.description, threads: device.threads, parameters: model.parameterCount });
  for await (const { step, loss, tokensPerSecond } of train(device, model, tokenizer.encode(text), {
    steps,
    lr: 3e-3,
  })) {
    tell({ kind: 'step', step, loss, tokensPerSecond });
    if (step % sampleEvery === 0 || step === steps) await write(step);
  }
  await device.close();
  tell({ kind: 'finished' });
}

self.onmessage = ({ data }: MessageEvent<Request>): void => {
  run(data).catch((error: unknown) => tell({ kind: 'failed', message: String(error) }));
};
