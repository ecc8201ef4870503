import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const commit = 'c'.repeat(40);

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** What the server does with a request before anything else; true where it has answered. */
export type Trick = (asked: Asked, response: ServerResponse, count: number) => boolean;

export interface HubServer extends AsyncDisposable {
  readonly endpoint: string;
  /** Requests for files and lists, at the hub and at the host that it redirects large files to. */
  readonly asked: Asked[];
  readonly stored: Asked[];
  /** Plays on the host of large files. */
  trick: Trick;
  /** Plays on the hub. */
  hubTrick: Trick;
  /** What the list says of a file, in place of the truth. */
  list(path: string): object;
}

const gitHash = (bytes: Uint8Array): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A hub with one model, whose safetensors are on another host, as the real one's are. */
export async function hubServer(files: Readonly<Record<string, Uint8Array>>, name = 'me/tiny'): Promise<HubServer> {
  const isLarge = (path: string): boolean => path.endsWith('.safetensors');
  const etag = (path: string): string => {
    const bytes = files[path] ?? new Uint8Array();
    return isLarge(path) ? sha256(bytes) : gitHash(bytes);
  };
  const store = await listen((request, response) => {
    const asked = record(store.asked, request);
    if (hub.trick(asked, response, store.asked.length)) return;
    send(response, files[asked.path.slice(1)] ?? new Uint8Array(), asked.range);
  });
  const home = await listen((request, response) => {
    const asked = record(home.asked, request);
    if (hub.hubTrick(asked, response, home.asked.length)) return;
    if (asked.path.startsWith(`/api/models/${name}/revision/`)) {
      const siblings = Object.keys(files).map((path) => ({ rfilename: path, ...hub.list(path) }));
      response.end(JSON.stringify({ sha: commit, siblings }));
      return;
    }
    const path = decodeURIComponent(asked.path.replace(`/${name}/resolve/${commit}/`, ''));
    const bytes = files[path];
    if (bytes === undefined) {
      response.writeHead(404, { 'x-error-code': 'EntryNotFound', 'x-error-message': 'Entry not found' }).end();
    } else if (isLarge(path) && asked.method === 'GET') {
      response.writeHead(302, { location: `${store.address}/${path}`, 'x-linked-etag': `"${etag(path)}"` }).end();
    } else {
      response.setHeader('etag', `"${etag(path)}"`);
      response.setHeader('x-linked-size', String(bytes.length));
      send(response, bytes, asked.range);
    }
  });
  const hub: HubServer = {
    endpoint: home.address,
    asked: home.asked,
    stored: store.asked,
    trick: () => false,
    hubTrick: () => false,
    list: (path) => {
      const { length: size } = files[path] ?? new Uint8Array();
      return { size, ...(isLarge(path) ? { lfs: { sha256: etag(path), size } } : { blobId: etag(path) }) };
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([close(store.server), close(home.server)]);
    },
  };
  return hub;
}

interface Listening {
  readonly server: Server;
  readonly address: string;
  readonly asked: Asked[];
}

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<Listening> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { server, address: `http://127.0.0.1:${port}`, asked: [] };
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

function record(into: Asked[], { method = '', url = '', headers }: IncomingMessage): Asked {
  const path = url.replace(/\?.*/, '');
  const asked = { method, path, range: headers.range, authorization: headers.authorization };
  into.push(asked);
  return asked;
}

/** A file, or its rest. */
export function send(response: ServerResponse, bytes: Uint8Array, range: string | undefined): void {
  const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? Number.NaN);
  if (Number.isNaN(from)) {
    response.setHeader('content-length', bytes.length);
    response.end(bytes);
  } else if (from >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
  } else {
    const rest = bytes.subarray(from);
    response.writeHead(206, {
      'content-length': rest.length,
      'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
    });
    response.end(rest);
  }
}

/** Some bytes of a file of a known length, and then the end of the connection. */
export function cutAfter(response: ServerResponse, bytes: Uint8Array, length: number, from = 0): true {
  const headers = { 'content-length': bytes.length - from };
  const range = { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
  response.writeHead(from === 0 ? 200 : 206, from === 0 ? headers : { ...headers, ...range });
  response.write(bytes.subarray(from, from + length), () => response.destroy());
  return true;
}
