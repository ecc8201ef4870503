import text from '../sonnets.txt?raw';
import { drawCurve } from './curve.js';
import type { Message, Request } from './messages.js';

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`the page has no ${type.name} #${id}`);
}

const textArea = element('text', HTMLTextAreaElement);
const steps = element('steps', HTMLInputElement);
const trainButton = element('train', HTMLButtonElement);
const stopButton = element('stop', HTMLButtonElement);
const status = element('status', HTMLParagraphElement);
const canvas = element('curve', HTMLCanvasElement);
const sample = element('sample', HTMLPreElement);

let worker: Worker | undefined;
let about = '';
let losses: number[] = [];

function showRunning(isRunning: boolean): void {
  trainButton.disabled = isRunning;
  stopButton.disabled = !isRunning;
}

/** Ending the Worker ends its threads too. */
function end(message: string): void {
  worker?.terminate();
  worker = undefined;
  status.textContent = message;
  showRunning(false);
}

function show(message: Message): void {
  if (message.kind === 'started') about = `${message.parameters.toLocaleString('en')} parameters on ${message.device}`;
  if (message.kind === 'step') {
    losses.push(message.loss);
    const speed = `${Math.round(message.tokensPerSecond).toLocaleString('en')} tokens/s`;
    status.textContent = `${about}: step ${message.step}, loss ${message.loss.toFixed(3)}, ${speed}`;
    drawCurve(canvas, losses, Number(steps.value));
  }
  if (message.kind === 'sample') sample.textContent = message.text;
  if (message.kind === 'finished') end(`${about}: finished, loss ${losses.at(-1)?.toFixed(3)}`);
  if (message.kind === 'failed') end(message.message);
}

function start(): void {
  losses = [];
  showRunning(true);
  status.textContent = 'Starting';
  worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }: MessageEvent<Message>) => show(data);
  worker.onerror = ({ message }) => end(message);
  const request: Request = { text: textArea.value, steps: Number(steps.value) };
  worker.postMessage(request);
}

textArea.value = text;
trainButton.onclick = start;
stopButton.onclick = () => end('Stopped');
