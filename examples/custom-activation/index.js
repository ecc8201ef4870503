/**
 * An activation of one's own: defined in one line, differentiated, trained with, and read back from the run by its text;
 * in about 20 seconds.
 * node examples/custom-activation/index.js [STEPS]
 */
import { fileURLToPath } from 'node:url';
import { activation, derivative, evaluateExpression, generate, greedy, openDevice, toText } from 'sluice';
import { completeSettings, openRun, startRun } from 'sluice/node';

const bump = activation('bump', (x) => x.max(0).add(x.mul(x.mul(x).neg().exp())));

const slope = derivative(bump.expression, 'x');
console.log(`f(x)  = ${toText(bump.expression)}`);
console.log(`f'(x) = ${toText(slope)}`);
console.log(`f'(1) = ${evaluateExpression(slope, { x: 1 })}`);

const settings = completeSettings({
  data: fileURLToPath(new URL('../sonnets.txt', import.meta.url)),
  tokenizer: 'char',
  ffn: 'mlp',
  activation: toText(bump.expression),
  dim: 64,
  layers: 2,
  heads: 4,
  context: 64,
  steps: Number(process.argv[2] ?? 300),
  lr: 3e-3,
});
let folder = '';
for await (const event of startRun(settings)) {
  if (event.kind === 'started') folder = event.run.folder;
  if (event.kind === 'step' && event.record.step % 50 === 0) {
    console.log(`step ${event.record.step}  loss ${event.record.loss.toFixed(3)}`);
  }
  if (event.kind === 'finished') console.log(`validation loss ${event.evaluation.loss.toFixed(3)}`);
}

// The run's folder holds the formula as text: a process that has never seen `bump` can use it.
const device = await openDevice();
const { model, tokenizer, design } = await openRun(folder, device);
console.log(`${folder} has f(x) = ${toText(design.formula.expression)}`);
let written = 'When ';
const sampling = { ...greedy, temperature: 0.7, prompt: written, maxTokens: 58, stop: [], seed: 1 };
for await (const piece of generate(device, model, tokenizer, sampling)) written += piece.text;
console.log(written);
await device.close();
