import type { Device } from '../devices/device.js';
import { type Release, Storage } from './storage.js';

/** What a scope knows of a tensor. */
export interface Handle {
  readonly storage: Storage;
  /** Whether it outlives the scope that it was made in. */
  readonly survives: boolean;
  letGo(why: Release): void;
}

/**
 * Collects the tensors made while it is open, and lets them go when it closes. Scopes nest: a tensor belongs to the
 * newest open one of its device. A scope that is open across an `await` also collects what other code makes meanwhile.
 */
export class Scope implements Disposable {
  readonly #device: Device | undefined;
  readonly #handles: Handle[] = [];
  readonly #release: Release;
  #open = true;

  constructor(device: Device | undefined, release: Release) {
    this.#device = device;
    this.#release = release;
    scopes.push(this);
  }

  accepts(device: Device): boolean {
    return this.#device === undefined || this.#device === device;
  }

  add(handle: Handle): void {
    this.#handles.push(handle);
  }

  /** Lets go of everything but the survivors, which the scope around takes over. */
  close(survivors: ReadonlySet<unknown> = new Set()): void {
    if (!this.#open) return;
    this.#open = false;
    scopes.splice(scopes.lastIndexOf(this), 1);
    for (const handle of this.#handles) {
      if (survivors.has(handle)) enlist(handle);
      else if (!handle.survives) handle.letGo(this.#release);
    }
    this.#handles.length = 0;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const scopes: Scope[] = [];

/** Puts a new tensor into the newest open scope of its device, if there is one. */
export function enlist(handle: Handle): void {
  if (scopes.length === 0) return;
  const { device } = handle.storage.tracker;
  scopes.findLast((scope) => scope.accepts(device))?.add(handle);
}

/** Runs a function in a scope that closes behind it, at once or when its promise settles. */
export function within<T>(scope: Scope, body: () => T): T {
  let result: T;
  try {
    result = body();
  } catch (error) {
    scope.close();
    throw error;
  }
  if (result instanceof Promise) {
    const closed = result.then(
      (value: unknown) => {
        scope.close(handlesIn(value));
        return value;
      },
      (error: unknown) => {
        scope.close();
        throw error;
      },
    );
    return closed as T;
  }
  scope.close(handlesIn(result));
  return result;
}

/** The tensors in a value: itself, or alone in arrays, plain objects, maps and sets, however deep. */
function handlesIn(value: unknown, found = new Set<unknown>()): Set<unknown> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found;
  if ('storage' in value && value.storage instanceof Storage) return found.add(value);
  const items = itemsOf(value);
  if (items.length > 0) found.add(value);
  for (const item of items) handlesIn(item, found);
  return found;
}

function itemsOf(value: object): readonly unknown[] {
  if (Array.isArray(value) || value instanceof Set) return [...value];
  if (value instanceof Map) return [...value.values()];
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.values(value) : [];
}

/**
 * For library code: what the function makes and does not return is let go when it returns. Whatever the graph needs
 * stays until backward() has consumed it, and goes back to the device there.
 */
export function internal<T>(body: () => T): T {
  return within(new Scope(undefined, internalRelease), body);
}

const internalRelease: Release = {
  by: 'the library call that made it',
  remedy: 'Return it from the function given to internal().',
};
