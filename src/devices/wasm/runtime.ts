import { SluiceError } from '../../base/errors.js';
import { closedError } from '../device.js';
import { checkThreads, mostThreads } from '../threads.js';
import { Arena } from './arena.js';
import { argumentWords } from './arguments.js';
import { ModuleBuilder } from './assembler.js';
import type { Run } from './control.js';
import { instantiate } from './control.js';
import type { WasmFeatures } from './features.js';
import { detectFeatures } from './features.js';
import { hardwareThreads } from './platform.js';
import { ForkJoinPool } from './pool.js';

export interface WasmRuntimeOptions {
  /** Threads that compute, the calling one included; by default one for each the machine runs at once. */
  readonly threads?: number;
  /** Use relaxed SIMD (fused multiply-add) where the engine has it; true by default. */
  readonly relaxed?: boolean;
  /** The same bits on every machine: no relaxed SIMD. */
  readonly deterministic?: boolean;
  /** Bound of the memory in bytes; 4 GiB by default. */
  readonly maximumBytes?: number;
}

export interface LaunchOptions {
  /** Bytes of scratch memory that each thread needs. */
  readonly scratchBytes?: number;
}

/** The bits of a float32 as the 32-bit integer that `launch` takes. */
export function floatBits(value: number): number {
  conversion.f32[0] = value;
  return conversion.i32[0] as number;
}

const conversion = /* @__PURE__ */ (() => {
  const f32 = new Float32Array(1);
  return { f32, i32: new Int32Array(f32.buffer) };
})();

/**
 * One WebAssembly memory, the kernels compiled over it, and the threads that run them.
 *
 * A kernel is a module that imports `env.memory` and exports `run(arguments, begin, end, scratch)`, all i32:
 * `arguments` is the address of the launch's 32-bit words, `begin` to `end` are the work items to do, `scratch` is
 * the address of memory that belongs to the thread.
 */
export class WasmRuntime {
  readonly features: WasmFeatures;
  /** Whether kernels may use relaxed SIMD. */
  readonly relaxed: boolean;
  readonly arena: Arena;
  private readonly pool: ForkJoinPool | undefined;
  private readonly runs: Run[] = [];
  private readonly named = new Map<string, number>();
  private readonly argumentBlock: number;
  private kernelTable: { pointer: number; capacity: number };
  private scratch = { pointer: 0, stride: 0 };
  private shared = { pointer: 0, bytes: 0 };
  private closed = false;

  private constructor(features: WasmFeatures, relaxed: boolean, arena: Arena, pool: ForkJoinPool | undefined) {
    this.features = features;
    this.relaxed = relaxed;
    this.arena = arena;
    this.pool = pool;
    this.argumentBlock = arena.allocate(4 * argumentWords);
    this.kernelTable = { pointer: arena.allocate(8 * 64), capacity: 64 };
    pool?.setKernelTable(this.kernelTable.pointer);
  }

  /** Opens the runtime; fails with SluiceError('device') where WebAssembly has no SIMD. */
  static async create(options: WasmRuntimeOptions = {}): Promise<WasmRuntime> {
    checkThreads(options.threads);
    const wanted = options.threads ?? Math.min(hardwareThreads(), mostThreads);
    const mayRelax = options.relaxed !== false && options.deterministic !== true;
    const features = detectFeatures({ enableRelaxed: mayRelax });
    if (!features.simd)
      throw new SluiceError('device', {
        rule: 'the wasm device needs WebAssembly with SIMD',
        remedy: 'Use a newer engine (Node 16.4, Chrome 91, Firefox 89, Safari 16.4), or device "reference".',
      });
    const threads = features.threads ? wanted : 1;
    const bound = options.maximumBytes === undefined ? {} : { maximumBytes: options.maximumBytes };
    const arena = new Arena({ shared: threads > 1, ...bound });
    const pool = threads > 1 ? await ForkJoinPool.create(arena, threads) : undefined;
    return new WasmRuntime(features, mayRelax && features.relaxedSimd, arena, pool);
  }

  /** Threads that compute, the caller included; fewer than asked for where workers could not start. */
  get threads(): number {
    return this.pool?.threads ?? 1;
  }

  /** Threads that it was to have. */
  get threadsWanted(): number {
    return this.pool?.places ?? 1;
  }

  /** A builder for a module that fits this memory. */
  module(): ModuleBuilder {
    return new ModuleBuilder({ memory: this.arena.memoryType });
  }

  /** Compiles a kernel and returns its number for `launch`. */
  compile(bytes: Uint8Array<ArrayBuffer>): number {
    const id = this.runs.length;
    const run = instantiate(bytes, this.arena.memory);
    if (this.pool !== undefined) this.publish(id, bytes, this.pool);
    this.runs.push(run);
    return id;
  }

  /** The number of the kernel of this name, which `emit` writes into a fresh module the first time. */
  kernel(name: string, emit: (module: ModuleBuilder) => void): number {
    const known = this.named.get(name);
    if (known !== undefined) return known;
    const module = this.module();
    emit(module);
    const id = this.compile(module.bytes());
    this.named.set(name, id);
    return id;
  }

  /** The address of at least `bytes` bytes for whoever asked last, shared by all threads; it only ever grows. */
  workspace(bytes: number): number {
    if (bytes > this.shared.bytes) {
      if (this.shared.pointer !== 0) this.arena.free(this.shared.pointer);
      this.shared = { pointer: 0, bytes: 0 };
      this.shared = { pointer: this.arena.allocate(bytes), bytes };
    }
    return this.shared.pointer;
  }

  /**
   * Runs work items 0 to `count` of a kernel, handed out to all threads in chunks of `grain`; returns when all are
   * done. Work of one chunk stays on the caller. `args` are 32-bit integers (floats by `floatBits`).
   */
  launch(kernel: number, args: ArrayLike<number>, count: number, grain: number, options: LaunchOptions = {}): void {
    this.requireOpen();
    const run = this.runs[kernel];
    if (run === undefined || args.length > argumentWords)
      throw new SluiceError('internal', {
        rule: `a launch names a compiled kernel and at most ${argumentWords} arguments`,
        received: { kernel, arguments: args.length },
      });
    if (!(count >= 0 && count <= 2 ** 30 && grain >= 1))
      throw new SluiceError('internal', {
        rule: 'a launch has 0 to 2^30 work items and a grain of at least 1',
        received: { count, grain },
      });
    if (options.scratchBytes !== undefined) this.ensureScratch(options.scratchBytes);
    const words = this.arena.i32;
    const base = this.argumentBlock >>> 2;
    for (let index = 0; index < args.length; index++) words[base + index] = args[index] as number;
    if (count === 0) return;
    try {
      if (this.pool === undefined || count <= grain || this.pool.threads === 1)
        run(this.argumentBlock, 0, count, this.scratch.pointer);
      else this.pool.launch(kernel, run, this.argumentBlock, count, grain);
    } catch (cause) {
      if (cause instanceof SluiceError) throw cause;
      throw new SluiceError('internal', { rule: 'a kernel runs to its end', received: String(cause), cause });
    }
  }

  /** @throws SluiceError `device` after close(). */
  requireOpen(): void {
    if (this.closed) throw closedError('wasm');
  }

  /** Ends the worker threads. */
  async close(): Promise<void> {
    this.closed = true;
    await this.pool?.close();
  }

  private publish(id: number, bytes: Uint8Array, pool: ForkJoinPool): void {
    const { arena } = this;
    if (id >= this.kernelTable.capacity) {
      const larger = { pointer: arena.allocate(16 * id), capacity: 2 * id };
      arena.u8.copyWithin(larger.pointer, this.kernelTable.pointer, this.kernelTable.pointer + 8 * id);
      arena.free(this.kernelTable.pointer);
      this.kernelTable = larger;
      pool.setKernelTable(larger.pointer);
    }
    const pointer = arena.allocate(bytes.length);
    arena.u8.set(bytes, pointer);
    const entry = (this.kernelTable.pointer >>> 2) + 2 * id;
    arena.i32.set([pointer, bytes.length], entry);
  }

  private ensureScratch(bytes: number): void {
    if (bytes <= this.scratch.stride) return;
    const stride = Math.ceil(bytes / 128) * 128;
    const pointer = this.arena.allocate(stride * this.threadsWanted);
    if (this.scratch.pointer !== 0) this.arena.free(this.scratch.pointer);
    this.scratch = { pointer, stride };
    this.pool?.setScratch(pointer, stride);
  }
}
