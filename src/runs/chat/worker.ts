/** Renders one chat template and ends: a thread of its own, so that a template without an end can be ended. */
import { parentPort, workerData } from 'node:worker_threads';
import { Template } from '@huggingface/jinja';
import type { Rendering } from './render.js';

const { template, context } = workerData as Rendering;
try {
  parentPort?.postMessage({ text: new Template(template).render({ ...context }) });
} catch (error) {
  parentPort?.postMessage({ error: error instanceof Error ? error.message : String(error) });
}
