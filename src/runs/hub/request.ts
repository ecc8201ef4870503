import { SluiceError } from '../../base/errors.js';
import { packageVersion } from '../version.js';
import type { HubSettings } from './settings.js';

export interface Answer {
  readonly status: number;
  /** Of the last host; those of the first win where the hub tells of a file before it redirects. */
  readonly header: (name: string) => string | undefined;
  readonly body: ReadableStream<Uint8Array> | undefined;
  /** Lets go of a body that is not read. */
  discard(): Promise<void>;
}

export interface RequestOptions {
  readonly method?: 'GET' | 'HEAD';
  /** The first byte wanted. */
  readonly from?: number;
  readonly signal: AbortSignal;
  /** Seconds for the answer and its body; without end by default. */
  readonly patience?: number;
}

const mostRedirects = 10;
const redirects = new Set([301, 302, 303, 307, 308]);

/** A failure that may pass: worth another try. */
export class Passing extends Error {
  override readonly name = 'Passing';
  /** What the server asked to wait, in seconds. */
  readonly wait: number | undefined;

  constructor(reason: SluiceError, wait?: number) {
    super(reason.message, { cause: reason });
    this.wait = wait;
  }

  get reason(): SluiceError {
    return this.cause as SluiceError;
  }
}

export const networkError = (rule: string, received: unknown, remedy: string, cause?: unknown): SluiceError =>
  new SluiceError('network', { rule, received, remedy, ...(cause === undefined ? {} : { cause }) });

/**
 * Asks a server and follows redirects. The token goes to the hub's own origin alone.
 * @throws Passing for a server that cannot be reached; SluiceError `network` for redirects without end or to plain http.
 */
export async function request(address: string, hub: HubSettings, options: RequestOptions): Promise<Answer> {
  const { origin } = new URL(hub.endpoint);
  let target = new URL(address);
  let first: Headers | undefined;
  for (let hops = 0; hops <= mostRedirects; hops++) {
    const response = await send(target, target.origin === origin ? hub.token : undefined, options);
    const { status, headers } = response;
    first ??= headers;
    const location = redirects.has(status) ? headers.get('location') : null;
    if (location === null) return answerOf(response, first);
    await response.body?.cancel();
    target = nextTarget(target, location);
  }
  throw networkError('a server redirects a few times at most', address, 'Check HF_ENDPOINT, or try again later.');
}

function nextTarget(from: URL, location: string): URL {
  const next = URL.canParse(location, from) ? new URL(location, from) : undefined;
  const isSafe = next?.protocol === 'https:' || (next?.protocol === 'http:' && from.protocol === 'http:');
  if (next !== undefined && isSafe) return next;
  const remedy = 'Check HF_ENDPOINT, or try again later.';
  throw networkError('a server redirects to another web address, from https to https', next?.origin ?? 'none', remedy);
}

async function send(target: URL, token: string | undefined, options: RequestOptions): Promise<Response> {
  const { method = 'GET', from = 0, signal, patience } = options;
  const limits = patience === undefined ? [signal] : [signal, AbortSignal.timeout(1000 * patience)];
  const headers: Record<string, string> = {
    'user-agent': `sluice/${packageVersion()}`,
    // Packed bodies would have other lengths than the file, and could not be resumed.
    'accept-encoding': 'identity',
  };
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
  if (from > 0) headers['range'] = `bytes=${from}-`;
  try {
    return await fetch(target, { method, headers, redirect: 'manual', signal: AbortSignal.any(limits) });
  } catch (cause) {
    signal.throwIfAborted();
    throw new Passing(unreachable(target, cause));
  }
}

function unreachable({ origin }: URL, cause: unknown): SluiceError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const received = inner instanceof Error ? inner.message : String(inner);
  const remedy = 'Check the connection and HF_ENDPOINT; --offline uses what was fetched before.';
  return networkError(`${origin} can be reached`, received, remedy, cause);
}

const answerOf = ({ status, headers, body }: Response, first: Headers): Answer => ({
  status,
  header: (name) => (name.startsWith('x-') ? first.get(name) : undefined) ?? headers.get(name) ?? undefined,
  body: body ?? undefined,
  discard: async () => {
    await body?.cancel();
  },
});

/** What a status that is no success means for a model. */
export function statusError(answer: Answer, what: string, hasToken: boolean): SluiceError | Passing {
  const { status } = answer;
  const said = answer.header('x-error-message');
  const received = said === undefined ? `status ${status}` : `status ${status}: ${said}`;
  if (status === 401 || status === 403) {
    const remedy = hasToken
      ? 'Check the name; for a gated model ask for access on its page, with the account that HF_TOKEN is of.'
      : 'Check the name; for a private or gated model set HF_TOKEN to a token that may read it.';
    return networkError(`${what} is public, or HF_TOKEN may read it`, received, remedy);
  }
  if (status === 404) {
    return networkError(`${what} exists`, received, 'Check its spelling, and --revision, on the page of the model.');
  }
  const error = networkError(`the server gives ${what}`, received, 'Try again later: what was fetched is kept.');
  if (status !== 408 && status !== 429 && status < 500) return error;
  const wait = Number(answer.header('retry-after'));
  return new Passing(error, Number.isFinite(wait) && wait > 0 ? wait : undefined);
}
