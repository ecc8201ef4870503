/** Appends a LEB128 number below 2^53. */
export function unsigned(out: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
}

/** Appends a signed LEB128 number. */
export function signed(out: number[], value: bigint): void {
  let rest = value;
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && byte < 0x40) || (rest === -1n && byte >= 0x40)) {
      out.push(byte);
      return;
    }
    out.push(byte | 0x80);
  }
}

/** Appends a count and the items. */
export function vector(out: number[], items: readonly (readonly number[])[]): void {
  unsigned(out, items.length);
  for (const item of items) append(out, item);
}

export function append(out: number[], bytes: readonly number[] | Uint8Array): void {
  for (const byte of bytes) out.push(byte); // spread would overflow the stack on long bodies
}
