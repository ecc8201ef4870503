import { SluiceError } from '../../src/base/errors.js';

/** A file of this header text, these many zero bytes of data, and a header length that may lie. */
export function safetensorsOf(header: string | Uint8Array, dataLength = 0, length?: bigint): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + text.length + dataLength);
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

/** One member of a header. */
export const member = (
  name: string,
  dtype: string,
  shape: string,
  begin: number | string,
  end: number | string,
): string => `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

/** The error that an action ends in; fails when it succeeds or throws anything but a SluiceError. */
export async function errorOf(action: () => unknown): Promise<SluiceError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof SluiceError) return error;
    throw error;
  }
  throw new Error('an error was expected');
}
