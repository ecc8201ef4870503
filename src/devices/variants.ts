import type { StorageType, View } from './device.js';

/** What is made of each kernel for each layout of its operands, for as long as the kernel lives. */
export class Variants<Kernel extends object, Made> {
  readonly #made = new WeakMap<Kernel, Map<string, Made>>();

  /** `layout` names what of the operands matters; `make` is called the first time. */
  find(kernel: Kernel, layout: string, make: () => Made): Made {
    let variants = this.#made.get(kernel);
    if (variants === undefined) {
      variants = new Map();
      this.#made.set(kernel, variants);
    }
    let found = variants.get(layout);
    if (found === undefined) {
      found = make();
      variants.set(layout, found);
    }
    return found;
  }
}

/** How an operand lies along the innermost axis: side by side, all the same one, or a stride apart. */
export type Spread = 'contiguous' | 'repeated' | 'strided';

export interface Slot {
  readonly type: StorageType;
  readonly spread: Spread;
}

export function spreadOf({ strides }: View): Spread {
  const stride = strides[strides.length - 1];
  return stride === 1 ? 'contiguous' : stride === 0 ? 'repeated' : 'strided';
}

export const slotOf = (view: View): Slot => ({ type: view.buffer.type, spread: spreadOf(view) });

/** The slots of all views, in few characters: it is asked for with every launch. */
export function slotsKey(views: readonly View[]): string {
  let key = '';
  for (const view of views) key += view.buffer.type.charAt(0) + spreadOf(view).charAt(0);
  return key;
}
