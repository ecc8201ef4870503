/** Trains a small model on a text, then lets it write, in about 15 seconds: node examples/node-script/index.js [TEXT] [STEPS] */
import { readFile } from 'node:fs/promises';
import { CharTokenizer, generate, greedy, llama, openDevice, train } from 'sluice';

const [, , path = new URL('../sonnets.txt', import.meta.url), steps = '300'] = process.argv;
const text = await readFile(path, 'utf8');
const tokenizer = new CharTokenizer([...new Set(text)]);
const device = await openDevice();
const model = llama(device, { vocabSize: tokenizer.vocabularySize, dim: 64, layers: 2, heads: 4, context: 64 });
for await (const { step, loss } of train(device, model, tokenizer.encode(text), { steps: +steps, lr: 3e-3, batch: 8 }))
  if (step % 50 === 0 || step === 1) console.log(`step ${step}  loss ${loss.toFixed(3)}`);
let written = text.slice(0, 5);
const sampling = { ...greedy, temperature: 0.7, prompt: written, maxTokens: 59, stop: [], seed: 1 };
for await (const piece of generate(device, model, tokenizer, sampling)) written += piece.text;
console.log(written);
await device.close();
