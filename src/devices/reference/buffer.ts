import { SluiceError } from '../../base/errors.js';
import type { DeviceBuffer, MemoryStatistics, StorageType, View } from '../device.js';

/** float32 is stored as float64 here, so that rounding does not hide mistakes. */
export class ReferenceBuffer implements DeviceBuffer {
  readonly type: StorageType;
  readonly values: Float64Array | Int32Array;

  constructor(type: StorageType, length: number) {
    this.type = type;
    this.values = type === 'int32' ? new Int32Array(length) : new Float64Array(length);
  }

  get length(): number {
    return this.values.length;
  }

  get bytes(): number {
    return this.values.byteLength;
  }

  /** Marks the contents as undefined: whoever reads them gets NaN. */
  poison(): void {
    this.values.fill(this.type === 'int32' ? -(2 ** 31) : Number.NaN);
  }
}

/** The values of a view's buffer. */
export function valuesOf(view: View): Float64Array | Int32Array {
  if (view.buffer instanceof ReferenceBuffer) return view.buffer.values;
  throw new SluiceError('device', {
    rule: 'a tensor is used on the device that made it',
    remedy: 'Read it with toArray() and make a tensor on the other device.',
  });
}

/** Buffers by type and length; a freed one is given to the next request of its kind. */
export class BufferPool {
  readonly #free = new Map<string, ReferenceBuffer[]>();
  readonly #live = new Set<DeviceBuffer>();
  #liveBytes = 0;
  #peakBytes = 0;
  #reservedBytes = 0;

  allocate(type: StorageType, length: number): ReferenceBuffer {
    if (!Number.isSafeInteger(length) || length < 1 || length > 2 ** 31) {
      throw new SluiceError('memory', {
        rule: 'a buffer has 1 to 2^31 elements',
        received: length,
        remedy: 'Use a smaller batch or context, or split the tensor.',
      });
    }
    const buffer = this.#free.get(`${type} ${length}`)?.pop() ?? this.#make(type, length);
    buffer.poison();
    this.#live.add(buffer);
    this.#liveBytes += buffer.bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    if (!(buffer instanceof ReferenceBuffer) || !this.#live.delete(buffer)) {
      throw new SluiceError('internal', { rule: 'a buffer is freed once, by the device that made it' });
    }
    buffer.poison();
    this.#liveBytes -= buffer.bytes;
    const key = `${buffer.type} ${buffer.length}`;
    const bin = this.#free.get(key);
    if (bin === undefined) this.#free.set(key, [buffer]);
    else bin.push(buffer);
  }

  statistics(): MemoryStatistics {
    return { liveBytes: this.#liveBytes, peakBytes: this.#peakBytes, reservedBytes: this.#reservedBytes };
  }

  clear(): void {
    this.#free.clear();
    this.#live.clear();
    this.#liveBytes = 0;
    this.#reservedBytes = 0;
  }

  #make(type: StorageType, length: number): ReferenceBuffer {
    try {
      const buffer = new ReferenceBuffer(type, length);
      this.#reservedBytes += buffer.bytes;
      return buffer;
    } catch (cause) {
      throw new SluiceError('memory', {
        rule: 'the JavaScript engine must give the reference device its memory',
        received: `a request for ${length} elements with ${this.#liveBytes} bytes in use`,
        remedy: 'Use a smaller batch or context, or free tensors that are no longer needed.',
        cause,
      });
    }
  }
}
