import { dirname, join, sep } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { readSmallFile } from './durable.js';
import { type FileSystem, nodeFileSystem, underRule } from './file-system.js';
import { unknownTensor } from './safetensors.js';
import { checkTensorName, malformed, safetensorsLimits, type TensorInfo } from './safetensors-dtypes.js';
import { SafetensorsFile, type TensorReader } from './safetensors-file.js';
import { decodeUtf8, JsonScanner, type ScannedJson } from './safetensors-json.js';
import type { TensorValues } from './safetensors-values.js';

export interface ShardedOptions {
  readonly fs?: FileSystem;
  /** Let shards be symbolic links to outside the folder (the Hugging Face cache is recognized without this). */
  readonly allowLinksOutside?: boolean;
  /** Refuse an index whose total_size is not the sum of its tensors (default true). */
  readonly checkTotalSize?: boolean;
}

/** An index read from `model.safetensors.index.json`. */
interface ShardIndex {
  readonly fileOf: ReadonlyMap<string, string>;
  readonly totalSize: number | undefined;
}

const mostShards = 10_000;

/** Tensors in several files under one index. Every mapped tensor must be in its shard, and in no other. */
export class ShardedSafetensors implements TensorReader {
  readonly metadata: ReadonlyMap<string, string>;
  readonly #fileOf: ReadonlyMap<string, SafetensorsFile>;
  readonly #files: readonly SafetensorsFile[];

  private constructor(files: readonly SafetensorsFile[], fileOf: ReadonlyMap<string, SafetensorsFile>) {
    this.#files = files;
    this.#fileOf = fileOf;
    this.metadata = files[0]?.metadata ?? new Map();
  }

  /** Reads the index and every shard's header. Throws `format` or `filesystem`; then no file stays open. */
  static async open(indexPath: string, options: ShardedOptions = {}): Promise<ShardedSafetensors> {
    const { fs = nodeFileSystem, allowLinksOutside = false, checkTotalSize = true } = options;
    const index = parseShardIndex(await readSmallFile(fs, indexPath, safetensorsLimits.headerBytes));
    const folder = dirname(indexPath);
    const files = new Map<string, SafetensorsFile>();
    const shards = new Set(index.fileOf.values());
    await requireShards(fs, folder, shards);
    try {
      for (const shard of shards) {
        if (!allowLinksOutside) await refuseLinkOutside(fs, folder, shard);
        files.set(shard, await SafetensorsFile.open(join(folder, shard), { fs }));
      }
      const fileOf = placeTensors(index.fileOf, files);
      if (checkTotalSize) refuseWrongTotal(index.totalSize, files.values());
      return new ShardedSafetensors([...files.values()], fileOf);
    } catch (error) {
      await Promise.allSettled([...files.values()].map((file) => file.close()));
      throw error;
    }
  }

  names(): string[] {
    return this.#files.flatMap((file) => file.names());
  }

  info(name: string): TensorInfo {
    return this.#holder(name).info(name);
  }

  async read(name: string): Promise<Uint8Array> {
    return this.#holder(name).read(name);
  }

  async readFloat32(name: string): Promise<Float32Array> {
    return this.#holder(name).readFloat32(name);
  }

  async *float32Pieces(name: string): AsyncGenerator<Float32Array> {
    yield* this.#holder(name).float32Pieces(name);
  }

  async readValues(name: string): Promise<TensorValues> {
    return this.#holder(name).readValues(name);
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #holder(name: string): SafetensorsFile {
    const file = this.#fileOf.get(name);
    if (file === undefined) throw unknownTensor(name, this.#fileOf.keys());
    return file;
  }
}

/**
 * Opens a model's tensors: a `.safetensors` file, a `.safetensors.index.json`, or a folder with `model.safetensors` or
 * `model.safetensors.index.json` (the single file first, as Transformers looks for them).
 */
export async function openSafetensors(path: string, options: ShardedOptions = {}): Promise<TensorReader> {
  const { fs = nodeFileSystem } = options;
  const open = (file: string): Promise<TensorReader> =>
    file.endsWith('.json') ? ShardedSafetensors.open(file, options) : SafetensorsFile.open(file, { fs });
  const status = await underRule(`${path} must be readable`, () => fs.stat(path));
  if (!status.isDirectory()) return open(path);
  const names = new Set(await underRule(`${path} must be readable`, () => fs.readdir(path)));
  const found = ['model.safetensors', 'model.safetensors.index.json'].find((name) => names.has(name));
  if (found !== undefined) return open(join(path, found));
  const rule = 'a model folder must hold model.safetensors or model.safetensors.index.json';
  throw new SluiceError('filesystem', { rule, received: path, remedy: 'Pickle files (.bin, .pt) are not read.' });
}

/** Reads an index strictly: names checked, shards plain file names in the same folder. Throws `format`. */
export function parseShardIndex(bytes: Uint8Array): ShardIndex {
  const scanner = new JsonScanner(decodeUtf8(bytes, 'a shard index'));
  const fileOf = new Map<string, string>();
  let metadata: ScannedJson | undefined;
  let mapped = false;
  scanner.object((key) => {
    if (key === 'weight_map') {
      mapped = true;
      scanner.object((name) => {
        checkTensorName(name);
        fileOf.set(name, checkedShardName(scanner.string()));
      });
    } else if (key === 'metadata') metadata = scanner.value(8);
    else scanner.value(8);
  });
  scanner.end();
  if (!mapped || fileOf.size === 0) throw malformed('a shard index must have a weight_map that names tensors');
  const shards = new Set(fileOf.values()).size;
  if (shards > mostShards) throw malformed(`a shard index must not name more than ${mostShards} files`, shards);
  return { fileOf, totalSize: totalSizeOf(metadata) };
}

function totalSizeOf(metadata: ScannedJson | undefined): number | undefined {
  const size = metadata instanceof Map ? metadata.get('total_size') : undefined;
  return typeof size === 'number' ? size : undefined;
}

/** A plain name: no folder in any spelling (`/`, `\`, `%2f`), no drive, no hidden file, no stream of a file. */
function checkedShardName(shard: string): string {
  const control = [...shard].some((character) => character < ' ');
  if (control || !/^[^./\\:%][^/\\:%]*\.safetensors$/u.test(shard) || shard.length > 255) {
    throw malformed('a shard must be the plain name of a .safetensors file beside its index', shard);
  }
  return shard;
}

/** All that are missing at once, for who copies them. */
async function requireShards(fs: FileSystem, folder: string, shards: ReadonlySet<string>): Promise<void> {
  const names = new Set(await underRule(`${folder} must be readable`, () => fs.readdir(folder)));
  const missing = [...shards].filter((shard) => !names.has(shard)).sort();
  if (missing.length === 0) return;
  throw new SluiceError('filesystem', {
    rule: `every shard that the index names must be in ${folder}`,
    received: missing,
    remedy: 'Copy those that are missing there, or fetch the model anew with sluice pull.',
  });
}

/** A shard may be a link within its folder, or into the blobs of the Hugging Face cache (snapshots/X -> ../../blobs). */
async function refuseLinkOutside(fs: FileSystem, folder: string, shard: string): Promise<void> {
  await underRule(`${join(folder, shard)} must be readable`, async () => {
    const home = await fs.realpath(folder);
    const target = await fs.realpath(join(folder, shard));
    const homes = dirname(home).endsWith(`${sep}snapshots`) ? [home, join(home, '..', '..', 'blobs')] : [home];
    if (homes.some((root) => target.startsWith(root + sep))) return;
    throw new SluiceError('format', {
      rule: `${join(folder, shard)} must not be a link to outside its folder`,
      received: target,
      remedy: 'Copy the file there, or allow links to outside if you made it.',
    });
  });
}

function placeTensors(
  index: ReadonlyMap<string, string>,
  files: ReadonlyMap<string, SafetensorsFile>,
): Map<string, SafetensorsFile> {
  const fileOf = new Map<string, SafetensorsFile>();
  for (const [shard, file] of files) {
    for (const name of file.names()) {
      if (index.get(name) !== shard) {
        const where = index.get(name) ?? 'nowhere';
        throw malformed(`tensor ${name} in ${shard} must be where the index says`, where);
      }
      fileOf.set(name, file);
    }
  }
  for (const [name, shard] of index) {
    if (!fileOf.has(name)) throw malformed(`tensor ${name} must be in the shard that the index says`, shard);
  }
  return fileOf;
}

function refuseWrongTotal(total: number | undefined, files: Iterable<SafetensorsFile>): void {
  if (total === undefined) return;
  let sum = 0;
  for (const file of files) for (const name of file.names()) sum += file.info(name).byteLength;
  if (sum === total) return;
  throw new SluiceError('format', {
    rule: `the total_size of a shard index must be the sum of its tensors, ${sum}`,
    received: total,
    remedy: 'Fetch the model anew, or turn checkTotalSize off: nothing else depends on it.',
  });
}
