import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../base/errors.js';

/** A chat template in Jinja, and what it is rendered with. */
export interface Rendering {
  readonly template: string;
  readonly context: Readonly<Record<string, unknown>>;
}

export interface RenderLimits {
  /** 5 by default. */
  readonly seconds?: number;
  /** Of the thread that renders; 256 by default. */
  readonly megabytes?: number;
}

type Answer = { readonly text: string } | { readonly error: string };

/**
 * Renders a template in a thread of its own.
 * @throws SluiceError `format` for a template that cannot be rendered, asks for too much time or memory, or refuses the
 * conversation (`raise_exception`), with its words.
 */
export async function renderTemplate(
  rendering: Rendering,
  { seconds = 5, megabytes = 256 }: RenderLimits = {},
): Promise<string> {
  // Only tests run the sources themselves; a worker needs JavaScript, which is then the built file.
  const built = import.meta.url.endsWith('.ts') ? '../../../dist/runs/chat/worker.js' : './worker.js';
  const worker = new Worker(new URL(built, import.meta.url), {
    ...{ workerData: rendering, execArgv: [], env: {} },
    resourceLimits: { maxOldGenerationSizeMb: megabytes, maxYoungGenerationSizeMb: 32 },
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    const answer = await new Promise<Answer>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`it was not done after ${seconds} s`)), 1000 * seconds);
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('it ended without a text')));
    });
    if ('text' in answer) return answer.text;
    throw new Error(answer.error);
  } catch (cause) {
    throw refused(cause, megabytes);
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

function refused(cause: unknown, megabytes: number): SluiceError {
  const isMemory = cause instanceof Error && 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY';
  const message = cause instanceof Error ? cause.message : String(cause);
  return new SluiceError('format', {
    rule: 'the chat template of a model renders the conversation',
    received: isMemory ? `more than ${megabytes} MB` : message.slice(0, 400),
    remedy: 'Change the conversation if the template refuses it, mend the template, or use --prompt without it.',
    cause,
  });
}
