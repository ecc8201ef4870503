import { SluiceError } from '../../base/errors.js';
import type { DeviceBuffer, StorageType, View } from '../device.js';

/** A block of the arena. */
export class NativeBuffer implements DeviceBuffer {
  readonly type: StorageType;
  readonly length: number;
  readonly address: number;

  constructor(type: StorageType, length: number, address: number) {
    this.type = type;
    this.length = length;
    this.address = address;
  }

  get bytes(): number {
    return 4 * this.length;
  }
}

/** A right operand of products, packed. */
export class HeldBuffer extends NativeBuffer {}

/** The address of a view's first element, in bytes. */
export function addressOf({ buffer, offset }: View): number {
  if (!(buffer instanceof NativeBuffer))
    throw new SluiceError('internal', { rule: 'a view of the native device is over its own buffers' });
  return buffer.address + 4 * offset;
}
