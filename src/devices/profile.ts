import type { RandomKey } from '../base/random.js';
import type { AttentionShape } from '../kernels/attention.js';
import type { ColumnKernel, MapKernel, RowKernel } from '../kernels/kernel.js';
import { kernelName } from '../kernels/names.js';
import type { WindowShape } from '../kernels/windows.js';
import type {
  AttentionGradients,
  AttentionViews,
  Device,
  DeviceBuffer,
  HostArray,
  MemoryStatistics,
  RowArguments,
  StorageType,
  View,
} from './device.js';
import {
  attentionWork,
  mapWork,
  matmulWork,
  movedWork,
  rowsWork,
  type Work,
  windowsWork,
  writtenWork,
} from './work.js';

/** One call of a device that did work. */
export interface Launch<Place> {
  readonly kind: 'map' | 'row' | 'column' | 'matmul' | 'attention' | 'index' | 'random' | 'write';
  /** Such as `silu gradient`, or the expressions of a kernel without a name. */
  readonly name: () => string;
  readonly work: () => Work;
  /** Who asked for it. */
  readonly place: Place;
  /** In milliseconds, by `performance.now()`. */
  readonly began: number;
  readonly ended: number;
}

/**
 * A device that times what another one does, call by call: while it records, each call is waited for. Kernels that are
 * not yet compiled are not: the figures hold once all are.
 */
export class ProfiledDevice<Place> implements Device {
  readonly name: string;
  readonly addressableBytes?: number;
  readonly isInterpreted?: boolean;
  /** To whom the next calls belong. */
  place: Place;
  /** Where calls are noted; undefined while nothing is recorded. */
  launches: Launch<Place>[] | undefined;
  readonly #device: Device;

  constructor(device: Device, place: Place) {
    this.#device = device;
    this.place = place;
    this.name = device.name;
    if (device.addressableBytes !== undefined) this.addressableBytes = device.addressableBytes;
    if (device.isInterpreted !== undefined) this.isInterpreted = device.isInterpreted;
  }

  get description(): string {
    return this.#device.description;
  }

  get threads(): number {
    return this.#device.threads;
  }

  allocate(type: StorageType, length: number): DeviceBuffer {
    return this.#device.allocate(type, length);
  }

  free(buffer: DeviceBuffer): void {
    this.#device.free(buffer);
  }

  memory(): MemoryStatistics {
    return this.#device.memory();
  }

  /** Names and work are told when asked: working them out here would be timed as the caller's. */
  #time(kind: Launch<Place>['kind'], name: () => string, work: () => Work, call: () => void): void {
    if (this.launches === undefined) {
      call();
      return;
    }
    this.#device.finish?.();
    const began = performance.now();
    call();
    this.#device.finish?.();
    const ended = performance.now();
    this.launches.push({ kind, name, work, place: this.place, began, ended });
  }

  write(values: ArrayLike<number>, to: View): void {
    this.#time(
      'write',
      () => 'write',
      () => writtenWork(to),
      () => this.#device.write(values, to),
    );
  }

  read(from: View): Promise<HostArray> {
    return this.#device.read(from);
  }

  synchronize(): Promise<void> {
    return this.#device.synchronize();
  }

  map(kernel: MapKernel, inputs: readonly View[], scalars: readonly number[], outputs: readonly View[]): void {
    this.#time(
      'map',
      () => kernelName(kernel),
      () => mapWork(kernel, inputs, outputs),
      () => this.#device.map(kernel, inputs, scalars, outputs),
    );
  }

  row(kernel: RowKernel, operands: RowArguments): void {
    this.#time(
      'row',
      () => kernelName(kernel),
      () => rowsWork(kernel, operands),
      () => this.#device.row(kernel, operands),
    );
  }

  column(kernel: ColumnKernel, operands: RowArguments, accumulate: boolean): void {
    this.#time(
      'column',
      () => kernelName(kernel),
      () => rowsWork(kernel, operands, accumulate),
      () => this.#device.column(kernel, operands, accumulate),
    );
  }

  matmul(a: View, b: View, c: View, accumulate: boolean): void {
    this.#time(
      'matmul',
      () => 'matmul',
      () => matmulWork(a, b, c, accumulate),
      () => this.#device.matmul(a, b, c, accumulate),
    );
  }

  attention(shape: AttentionShape, views: AttentionViews): void {
    this.#time(
      'attention',
      () => 'attention',
      () => attentionWork(shape, 'forward', Object.values(views)),
      () => this.#device.attention(shape, views),
    );
  }

  attentionGradient(shape: AttentionShape, views: AttentionViews, gradients: AttentionGradients): void {
    this.#time(
      'attention',
      () => 'attention gradient',
      () => attentionWork(shape, 'backward', [...Object.values(views), ...Object.values(gradients)]),
      () => this.#device.attentionGradient(shape, views, gradients),
    );
  }

  gather(table: View, indices: View, output: View): void {
    this.#time(
      'index',
      () => 'gather',
      () => movedWork(output, indices, false),
      () => this.#device.gather(table, indices, output),
    );
  }

  scatterAdd(source: View, indices: View, table: View): void {
    this.#time(
      'index',
      () => 'scatter-add',
      () => movedWork(source, indices, true),
      () => this.#device.scatterAdd(source, indices, table),
    );
  }

  unfold(shape: WindowShape, image: View, windows: View): void {
    this.#time(
      'index',
      () => 'unfold',
      () => windowsWork(image, windows, false),
      () => this.#device.unfold(shape, image, windows),
    );
  }

  fold(shape: WindowShape, windows: View, image: View, accumulate: boolean): void {
    this.#time(
      'index',
      () => 'fold',
      () => windowsWork(image, windows, true, accumulate),
      () => this.#device.fold(shape, windows, image, accumulate),
    );
  }

  random(distribution: 'uniform' | 'normal', key: RandomKey, output: View): void {
    this.#time(
      'random',
      () => distribution,
      () => writtenWork(output),
      () => this.#device.random(distribution, key, output),
    );
  }

  close(): Promise<void> {
    return this.#device.close();
  }
}
