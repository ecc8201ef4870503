import { basename, dirname } from 'node:path';
import { randomKey, randomUniform } from '../../src/base/random.js';
import type { FileStatus, FileSystem, OpenFile } from '../../src/formats/file-system.js';

interface FileNode {
  kind: 'file';
  data: Uint8Array;
  /** What a power loss leaves: the bytes of the last fsync. */
  durable: Uint8Array;
  modified: number;
}

interface FolderNode {
  kind: 'folder';
  entries: Map<string, FileNode | FolderNode>;
  /** The entries of the last fsync of the folder. */
  durable: Map<string, FileNode | FolderNode>;
}

/** A failed system call, as Node makes it. */
export const systemError = (code: string, call: string, path = ''): Error =>
  Object.assign(new Error(`${code}: simulated, ${call} '${path}'`), { code, syscall: call });

const folder = (): FolderNode => ({ kind: 'folder', entries: new Map(), durable: new Map() });

/**
 * A file system in memory that knows what is durable: a crash may undo whatever was not made so by fsync of a file or of
 * a folder. `fault` is asked before each call and may return an error for it.
 */
export class MemoryFileSystem implements FileSystem {
  readonly calls: string[] = [];
  fault: (call: string, path: string, count: number) => Error | undefined = () => undefined;
  /** How many of the bytes one call of write or read moves. */
  portion: (length: number) => number = (length) => length;
  free = 1e12;
  #root = folder();
  #clock = 0;

  /** Every call from the k-th on fails, as if the process had been killed before it. */
  killAt(k: number): void {
    const start = this.calls.length;
    this.fault = (call, path, count) => (count - start >= k ? systemError('EKILLED', call, path) : undefined);
  }

  /**
   * The machine loses power: `none` of what is not durable survives, `all` of it, or parts by a seed. Files partly written
   * survive as a prefix with zeros behind it, as file systems with late allocation leave them.
   */
  crash(survivors: 'none' | 'all' | number): void {
    const key = randomKey(typeof survivors === 'number' ? survivors : 0, 'noise');
    let draws = 0;
    const chance = (): number => {
      if (survivors === 'none') return 0;
      return survivors === 'all' ? 1 : randomUniform(key, draws++) * 1.5;
    };
    const settle = (node: FolderNode): void => {
      for (const name of new Set([...node.entries.keys(), ...node.durable.keys()])) {
        const [now, then] = [node.entries.get(name), node.durable.get(name)];
        const kept = now === then || chance() >= 0.75 ? now : then;
        if (kept === undefined) node.entries.delete(name);
        else node.entries.set(name, kept);
      }
      node.durable = new Map(node.entries);
      for (const child of node.entries.values()) {
        if (child.kind === 'folder') settle(child);
        else if (child.data !== child.durable) child.durable = child.data = this.#partly(child, chance());
      }
    };
    settle(this.#root);
    this.fault = () => undefined;
  }

  #partly(file: FileNode, part: number): Uint8Array {
    if (part === 0) return file.durable;
    const bytes = new Uint8Array(file.data.length);
    bytes.set(file.data.subarray(0, Math.floor(Math.min(1, part) * bytes.length)));
    return bytes;
  }

  /** Everything so far is durable. */
  settle(): void {
    this.crash('all');
  }

  /** Flips, cuts or replaces the bytes of a file, durably. */
  damage(path: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const node = this.#file(path);
    node.data = node.durable = change(node.data.slice());
  }

  bytes(path: string): Uint8Array {
    return this.#file(path).data;
  }

  async open(path: string, flags: string | number): Promise<OpenFile> {
    this.#call('open', path);
    const parent = this.#folder(dirname(path));
    let node = path === '/' ? this.#root : parent.entries.get(basename(path));
    if (node !== undefined && String(flags).startsWith('wx')) throw systemError('EEXIST', 'open', path);
    if (node === undefined && !String(flags).startsWith('w')) throw systemError('ENOENT', 'open', path);
    if (node === undefined) {
      node = { kind: 'file', data: new Uint8Array(0), durable: new Uint8Array(0), modified: this.#clock++ };
      parent.entries.set(basename(path), node);
    }
    return this.#handle(node, path);
  }

  async mkdir(path: string): Promise<void> {
    this.#call('mkdir', path);
    const parent = this.#folder(dirname(path));
    if (parent.entries.has(basename(path))) throw systemError('EEXIST', 'mkdir', path);
    parent.entries.set(basename(path), folder());
  }

  async readdir(path: string): Promise<string[]> {
    this.#call('readdir', path);
    return [...this.#folder(path).entries.keys()];
  }

  async rename(from: string, to: string): Promise<void> {
    this.#call('rename', from);
    const node = this.#node(from);
    const target = this.#folder(dirname(to)).entries.get(basename(to));
    if (target?.kind === 'folder' && target.entries.size > 0) throw systemError('ENOTEMPTY', 'rename', to);
    this.#folder(dirname(from)).entries.delete(basename(from));
    this.#folder(dirname(to)).entries.set(basename(to), node);
  }

  async unlink(path: string): Promise<void> {
    this.#call('unlink', path);
    this.#file(path);
    this.#folder(dirname(path)).entries.delete(basename(path));
  }

  async rmdir(path: string): Promise<void> {
    this.#call('rmdir', path);
    if (this.#folder(path).entries.size > 0) throw systemError('ENOTEMPTY', 'rmdir', path);
    this.#folder(dirname(path)).entries.delete(basename(path));
  }

  async stat(path: string): Promise<FileStatus> {
    this.#call('stat', path);
    return this.#status(this.#node(path));
  }

  async realpath(path: string): Promise<string> {
    this.#call('realpath', path);
    return path;
  }

  async statfs(path: string): Promise<{ bsize: number; blocks: number; bavail: number }> {
    this.#call('statfs', path);
    return { bsize: 1, blocks: 1e12, bavail: this.free };
  }

  #handle(node: FileNode | FolderNode, path: string): OpenFile {
    const file = (): FileNode => {
      if (node.kind === 'folder') throw systemError('EISDIR', 'read', path);
      return node;
    };
    return {
      read: async (target, offset, length, position) => {
        this.#call('read', path);
        const bytes = file().data.subarray(position, position + this.portion(length));
        target.set(bytes, offset);
        return { bytesRead: bytes.length };
      },
      write: async (source, offset, length, position) => {
        const error = this.#ask('write', path);
        // A killed write may have moved half of its bytes.
        this.#write(file(), source.subarray(offset, offset + (error ? length >> 1 : this.portion(length))), position);
        if (error) throw error;
        return { bytesWritten: this.portion(length) };
      },
      sync: async () => {
        this.#call('sync', path);
        if (node.kind === 'folder') node.durable = new Map(node.entries);
        else node.durable = node.data;
      },
      truncate: async (size) => {
        this.#call('truncate', path);
        file().data = file().data.slice(0, size);
      },
      stat: async () => {
        this.#call('fstat', path);
        return this.#status(node);
      },
      close: async () => this.#call('close', path),
    };
  }

  #write(node: FileNode, bytes: Uint8Array, position: number): void {
    const data = new Uint8Array(Math.max(node.data.length, position + bytes.length));
    data.set(node.data);
    data.set(bytes, position);
    node.data = data;
    node.modified = this.#clock++;
  }

  #status(node: FileNode | FolderNode): FileStatus {
    const isFile = node.kind === 'file';
    const [size, mtimeMs] = isFile ? [node.data.length, node.modified] : [0, 0];
    return { size, mtimeMs, isFile: () => isFile, isDirectory: () => !isFile };
  }

  #ask(call: string, path: string): Error | undefined {
    this.calls.push(`${call} ${path}`);
    return this.fault(call, path, this.calls.length);
  }

  #call(call: string, path: string): void {
    const error = this.#ask(call, path);
    if (error) throw error;
  }

  #node(path: string): FileNode | FolderNode {
    let node: FileNode | FolderNode | undefined = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (node?.kind !== 'folder') throw systemError(node === undefined ? 'ENOENT' : 'ENOTDIR', 'stat', path);
      node = node.entries.get(name);
    }
    if (node === undefined) throw systemError('ENOENT', 'stat', path);
    return node;
  }

  #folder(path: string): FolderNode {
    const node = this.#node(path);
    if (node.kind !== 'folder') throw systemError('ENOTDIR', 'stat', path);
    return node;
  }

  #file(path: string): FileNode {
    const node = this.#node(path);
    if (node.kind !== 'file') throw systemError('EISDIR', 'stat', path);
    return node;
  }
}
