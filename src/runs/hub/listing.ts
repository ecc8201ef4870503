/** What the hub says of a model: the commit of a revision, and its files with their sizes and hashes. */
import * as v from 'valibot';
import { isPlainPath, type ModelName } from './names.js';
import { networkError, Passing, type RequestOptions, request, statusError } from './request.js';
import type { HubSettings } from './settings.js';

export interface RemoteFile {
  readonly path: string;
  readonly size: number | undefined;
  /** The sha256 of a large file, the git hash of a small one; undefined where the list does not say. */
  readonly etag: string | undefined;
}

export interface Listing {
  readonly commit: string;
  readonly files: readonly RemoteFile[];
}

const size = v.nullish(v.pipe(v.number(), v.safeInteger(), v.minValue(0)));
const schema = v.object({
  sha: v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/)),
  siblings: v.array(
    v.object({
      rfilename: v.string(),
      size,
      blobId: v.nullish(v.string()),
      lfs: v.nullish(v.object({ sha256: v.string(), size })),
    }),
  ),
});

/** More is no list of a model's files. */
const mostBytes = 64 * 2 ** 20;
const mostFiles = 100_000;

const pathOf = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

/** Where a file of a commit is. */
export const fileAddress = (hub: HubSettings, name: string, commit: string, path: string): string =>
  `${hub.endpoint}/${pathOf(name)}/resolve/${commit}/${pathOf(path)}`;

/**
 * Asks for the files of a revision.
 * @throws Passing, SluiceError `network` for a model that is not there or may not be read, or a server that is no hub.
 */
export async function listModel(
  hub: HubSettings,
  { name, revision }: ModelName,
  options: RequestOptions,
): Promise<Listing> {
  const address = `${hub.endpoint}/api/models/${pathOf(name)}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const answer = await request(address, hub, options);
  if (answer.status !== 200) {
    await answer.discard();
    throw statusError(answer, `the model ${name} at revision ${revision}`, hub.token !== undefined);
  }
  const result = v.safeParse(schema, parsed(await textOf(answer.body, address)));
  if (!result.success || result.output.siblings.length > mostFiles) throw noHub(address);
  const { sha } = result.output;
  if (/^[0-9a-f]{40}$/.test(revision) && sha !== revision) {
    throw networkError('the hub gives the commit that was asked for', sha, 'Ask again, or choose another endpoint.');
  }
  const files = result.output.siblings.map(({ rfilename, size, blobId, lfs }) => ({
    path: rfilename,
    size: lfs?.size ?? size ?? undefined,
    etag: plainEtag(lfs?.sha256 ?? blobId ?? undefined),
  }));
  const foreign = files.find(({ path }) => !isPlainPath(path));
  if (foreign === undefined) return { commit: result.output.sha, files };
  const remedy = 'Do not trust this model: choose another.';
  throw networkError('the files of a model are in its folder', foreign.path, remedy);
}

/** An etag can be the name of a file: a hash, without quotes or the mark of a weak one. */
export function plainEtag(etag: string | undefined): string | undefined {
  const plain = etag?.replace(/^W\//, '').replaceAll('"', '');
  return plain !== undefined && /^[0-9A-Za-z][\w-]{0,127}$/.test(plain) ? plain : undefined;
}

async function textOf(body: ReadableStream<Uint8Array> | undefined, address: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of body ?? []) {
      bytes += piece.length;
      if (bytes > mostBytes) break;
      pieces.push(piece);
    }
  } catch (cause) {
    const received = cause instanceof Error ? cause.message : String(cause);
    throw new Passing(networkError('the list of files comes whole', received, 'Try again later.', cause));
  }
  if (bytes > mostBytes) throw noHub(address);
  return Buffer.concat(pieces).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const noHub = (address: string): Error =>
  networkError('HF_ENDPOINT is a hub, which lists the files of a model', address, 'Check HF_ENDPOINT.');
