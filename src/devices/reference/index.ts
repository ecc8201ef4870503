import { type RandomKey, randomNormal, randomUniform } from '../../base/random.js';
import {
  closedError,
  type Device,
  type DeviceBuffer,
  type HostArray,
  type MemoryStatistics,
  type StorageType,
  type View,
} from '../device.js';
import { attention, attentionGradient } from './attention.js';
import { BufferPool, valuesOf } from './buffer.js';
import { gather, scatterAdd } from './indexing.js';
import { map } from './map.js';
import { matmul } from './matmul.js';
import { column, row } from './row.js';
import { positions } from './walk.js';
import { fold, unfold } from './windows.js';

function write(values: ArrayLike<number>, to: View): void {
  const target = valuesOf(to);
  for (const [i, position] of positions(to).entries()) target[position] = values[i] ?? Number.NaN;
}

function read(from: View): HostArray {
  const values = valuesOf(from);
  const found = positions(from).map((position) => values[position] ?? Number.NaN);
  return values instanceof Int32Array ? Int32Array.from(found) : Float64Array.from(found);
}

function random(distribution: 'uniform' | 'normal', key: RandomKey, output: View): void {
  const draw = distribution === 'uniform' ? randomUniform : randomNormal;
  write(
    positions(output).map((_, i) => draw(key, i)),
    output,
  );
}

/** The device that others are tested against: float64, interpreted, one thread. */
class ReferenceDevice implements Device {
  readonly name = 'reference';
  readonly isInterpreted = true;
  readonly description = 'float64, interpreted, one thread';
  readonly threads = 1;
  readonly #pool = new BufferPool();
  #closed = false;

  readonly map = this.#whileOpen(map);
  readonly row = this.#whileOpen(row);
  readonly column = this.#whileOpen(column);
  readonly matmul = this.#whileOpen(matmul);
  readonly attention = this.#whileOpen(attention);
  readonly attentionGradient = this.#whileOpen(attentionGradient);
  readonly gather = this.#whileOpen(gather);
  readonly scatterAdd = this.#whileOpen(scatterAdd);
  readonly unfold = this.#whileOpen(unfold);
  readonly fold = this.#whileOpen(fold);
  readonly write = this.#whileOpen(write);
  readonly random = this.#whileOpen(random);
  readonly allocate = this.#whileOpen(
    (type: StorageType, length: number): DeviceBuffer => this.#pool.allocate(type, length),
  );
  readonly #read = this.#whileOpen(read);

  #whileOpen<A extends readonly unknown[], R>(operation: (...operands: A) => R): (...operands: A) => R {
    return (...operands) => {
      if (this.#closed) throw closedError(this.name);
      return operation(...operands);
    };
  }

  free(buffer: DeviceBuffer): void {
    if (!this.#closed) this.#pool.free(buffer);
  }

  memory(): MemoryStatistics {
    return this.#pool.statistics();
  }

  async read(from: View): Promise<HostArray> {
    return this.#read(from);
  }

  async synchronize(): Promise<void> {}

  async close(): Promise<void> {
    this.#closed = true;
    this.#pool.clear();
  }
}

/** Opens a reference device: works everywhere, needs nothing, is slow. */
export async function openReference(): Promise<Device> {
  return new ReferenceDevice();
}
