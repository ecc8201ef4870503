import { SluiceError } from '../../base/errors.js';
import type { DeviceBuffer, StorageType, View } from '../device.js';

/** A block of the WebAssembly memory. */
export class WasmBuffer implements DeviceBuffer {
  readonly type: StorageType;
  readonly length: number;
  readonly pointer: number;

  constructor(type: StorageType, length: number, pointer: number) {
    this.type = type;
    this.length = length;
    this.pointer = pointer;
  }

  get bytes(): number {
    return 4 * this.length;
  }
}

/** A right operand of products in the order in which they read it. */
export class HeldBuffer extends WasmBuffer {}

/** The address of a view's first element. */
export function addressOf({ buffer, offset }: View): number {
  if (!(buffer instanceof WasmBuffer))
    throw new SluiceError('internal', { rule: 'a view of the wasm device is over its own buffers' });
  return buffer.pointer + 4 * offset;
}
