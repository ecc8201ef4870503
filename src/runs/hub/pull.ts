import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../../base/errors.js';
import { completeOptions, type OptionTable } from '../../base/options.js';
import { exists, underRule } from '../../formats/file-system.js';
import { lockRun } from '../lock.js';
import { blobPath, commitSnapshot, modelFolder, snapshotOf } from './cache.js';
import { filesLike, usualFiles } from './choose.js';
import { download, incompletePath, type Wanted } from './download.js';
import { mkdir } from './files.js';
import { fileAddress, type Listing, listModel, plainEtag, type RemoteFile } from './listing.js';
import { type ModelName, modelName } from './names.js';
import { Pace, type PullProgress } from './pace.js';
import { networkError, request, statusError } from './request.js';
import { retrying } from './retry.js';
import { checkedEndpoint, checkedToken, type HubSettings, hubSettings } from './settings.js';

/** What is left out is as the environment has it: `hubSettings`. */
export interface PullOptions {
  /** A branch, a tag or a commit; `main` by default. */
  readonly revision?: string | undefined;
  /** Which files, `*` standing for any characters; by default those that opening a model takes. */
  readonly files?: readonly string[];
  readonly endpoint?: string;
  readonly token?: string | undefined;
  /** The folder of all models. */
  readonly cache?: string;
  /** Whether to use what was fetched before, and no network. */
  readonly offline?: boolean;
  /** Tries in a row that bring nothing; 6 by default, after longer and longer waits. */
  readonly tries?: number;
  /** Seconds before the second try; 1 by default. */
  readonly wait?: number;
  /** Seconds without a byte after which a connection is given up; 30 by default. */
  readonly patience?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PullProgress) => void;
}

export interface PulledModel {
  readonly name: string;
  readonly revision: string;
  readonly commit: string;
  /** Its files; every command and `open` take it, and the name. */
  readonly folder: string;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly bytes: number;
  /** What came over the network now. */
  readonly fetchedBytes: number;
}

const pullOptions = {
  ...{ revision: undefined, files: [], endpoint: undefined, token: undefined, cache: undefined, offline: undefined },
  ...{ tries: 6, wait: 1, patience: 30, signal: undefined, onProgress: undefined },
} satisfies OptionTable<PullOptions>;

type Complete = ReturnType<typeof complete>;

function complete(given: PullOptions) {
  const options = completeOptions<PullOptions, typeof pullOptions>('pull', given, pullOptions);
  const usual = hubSettings();
  const { endpoint = usual.endpoint, token = usual.token, cache = usual.cache, offline = usual.offline } = options;
  const hub: HubSettings = { endpoint: checkedEndpoint(endpoint), token: checkedToken(token), cache, offline };
  const { tries, wait, patience, files, onProgress } = options;
  if (!(Number.isInteger(tries) && tries >= 1 && wait >= 0 && patience > 0)) {
    throw new SluiceError('argument', {
      rule: 'tries is a whole number from 1 on, wait at least 0 and patience above 0 seconds',
      received: { tries, wait, patience },
      remedy: 'Leave them out for 6 tries.',
    });
  }
  const signal = options.signal ?? new AbortController().signal;
  return { hub, tries, wait, patience, files, onProgress, signal };
}

/**
 * Fetches a model from the Hugging Face hub into the cache that its own tools use, and gives its folder. A file that was
 * cut off is gone on with; each is held against the hash that the hub lists; the folder appears when all is there.
 * @throws SluiceError `network` for a model that is not there or may not be read, a server that fails or sends other
 * bytes; `checkpoint` for one that was not fetched, offline; `busy` while another process fetches it; `filesystem`.
 * @example const { folder } = await pull('HuggingFaceTB/SmolLM2-135M');
 */
export async function pull(name: string, options: PullOptions = {}): Promise<PulledModel> {
  const given = complete(options);
  const model = modelName(name, options.revision);
  if (given.hub.offline) return offlineModel(model, given);
  const listing = await retrying(given, () => listModel(given.hub, model, given));
  const chosen = given.files.length > 0 ? filesLike(given.files, listing.files) : usualFiles(model.name, listing.files);
  const folder = modelFolder(given.hub.cache, model.name);
  await underRule(`${folder} must be writable`, () => mkdir(join(folder, 'blobs')));
  const lock = await lockRun(folder);
  try {
    return await fetchAll(folder, model, listing, chosen, given);
  } finally {
    await lock.release();
  }
}

async function offlineModel(model: ModelName, { hub }: Complete): Promise<PulledModel> {
  const folder = await snapshotOf(hub.cache, model);
  if (folder !== undefined) {
    const commit = folder.slice(-40);
    return { ...model, commit, folder, files: [], bytes: 0, fetchedBytes: 0 };
  }
  throw new SluiceError('checkpoint', {
    rule: `offline, a model is one that was fetched before into ${hub.cache}`,
    received: `${model.name} at ${model.revision}`,
    remedy: 'Fetch it once without --offline and HF_HUB_OFFLINE.',
  });
}

async function fetchAll(
  folder: string,
  model: ModelName,
  { commit }: Listing,
  chosen: readonly RemoteFile[],
  options: Complete,
): Promise<PulledModel> {
  const wanted: Wanted[] = [];
  for (const file of chosen) wanted.push(await complement(folder, model, commit, file, options));
  const total = wanted.reduce((sum, { size }) => sum + size, 0);
  const there = await Promise.all(wanted.map(bytesThere));
  const before = there.reduce((sum, bytes) => sum + bytes, 0);
  await requireRoom(folder, total - before);
  const pace = new Pace(before, total, options.onProgress);
  for (const [i, file] of wanted.entries()) {
    const tell = (done: number): void => pace.tell(file.path, done - (there[i] ?? 0));
    await download(file, { ...options, tell });
    pace.finish(file.size - (there[i] ?? 0));
  }
  const files = wanted.map(({ path, size }) => ({ path, bytes: size }));
  const snapshot = await underRule(`${folder} must be writable`, () =>
    commitSnapshot(folder, model.revision, commit, wanted),
  );
  return { ...model, commit, folder: snapshot, files, bytes: total, fetchedBytes: pace.fetched };
}

/** Fills in what the list of files does not say, by asking for the file itself. */
async function complement(
  folder: string,
  { name }: ModelName,
  commit: string,
  { path, size, etag }: RemoteFile,
  options: Complete,
): Promise<Wanted> {
  const { hub, signal, patience } = options;
  const address = fileAddress(hub, name, commit, path);
  if (size !== undefined && etag !== undefined) return { path, address, size, etag, blob: blobPath(folder, etag) };
  return retrying(options, async () => {
    const answer = await request(address, hub, { method: 'HEAD', signal, patience });
    await answer.discard();
    if (answer.status !== 200) throw statusError(answer, `${path} of ${name}`, hub.token !== undefined);
    const said = plainEtag(answer.header('x-linked-etag') ?? answer.header('etag'));
    const length = Number(answer.header('x-linked-size') ?? answer.header('content-length') ?? Number.NaN);
    if (said === undefined || !Number.isSafeInteger(length) || length < 0) {
      const remedy = 'Check HF_ENDPOINT: without them a download could not be verified.';
      throw networkError(`the hub tells size and hash of ${path}`, answer.header('etag') ?? 'neither', remedy);
    }
    return { path, address, size: length, etag: said, blob: blobPath(folder, said) };
  });
}

/** Bytes that need not be fetched again. */
async function bytesThere({ blob, size }: Wanted): Promise<number> {
  if (await exists(blob)) return size;
  const kept = await stat(incompletePath(blob)).catch(() => undefined);
  return kept === undefined || kept.size > size ? 0 : kept.size;
}

async function requireRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await underRule(`${folder} must be readable`, () => statfs(folder));
  const room = bavail * bsize;
  if (bytes <= room) return;
  throw new SluiceError('filesystem', {
    rule: `there is room for ${bytes} more bytes in ${folder}`,
    received: room,
    remedy: 'Free space there, or set HF_HUB_CACHE to a folder on another disk.',
  });
}
