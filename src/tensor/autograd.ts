import { SluiceError, show } from '../base/errors.js';
import type { View } from '../devices/device.js';
import { packedStrides, type Shape } from './shape.js';
import type { Observer, Release, Storage } from './storage.js';

/**
 * Where gradients gather: one for each tensor that an operation made while gradients were wanted, and one for each
 * leaf. Views share the source of what they look at, so that looking costs nothing in backward(): the gradient of a
 * view is the same window on the source's gradient, which is packed as the source is.
 */
export class Source {
  readonly shape: Shape;
  /** The source's offset in its own storage. */
  offset: number;
  readonly node: GraphNode | undefined;
  /** A leaf's gradient lives as long as the leaf does, and keeps with it. */
  readonly leaf: { readonly kept: boolean } | undefined;
  /** The sum so far, packed from `gradientOffset` on; shared with others until someone writes. */
  gradient: Storage | undefined;
  /** A leaf's buffer for the next gradient, after zeroGrad(). */
  spare: Storage | undefined;
  /** Where a leaf's gradient always is, if others lie beside it. */
  place: GradientPlace | undefined;
  /** Nodes that will bring it a gradient. */
  users = 0;

  constructor(shape: Shape, offset: number, from: GraphNode | { readonly kept: boolean }) {
    this.shape = shape;
    this.offset = offset;
    this.node = from instanceof GraphNode ? from : undefined;
    this.leaf = from instanceof GraphNode ? undefined : from;
  }

  get gradientOffset(): number {
    return this.place === undefined ? 0 : this.place.offset;
  }

  drop(): void {
    this.gradient?.letGo(consumed);
    this.gradient = undefined;
  }
}

export interface GradientPlace {
  readonly storage: Storage;
  readonly offset: number;
}

const consumed: Release = {
  by: 'backward(), which had no more use for it',
  remedy: 'Only gradients of leaves stay: make the tensor a leaf with detach() and requiresGrad.',
};

/** An output's gradient: packed, in the output's shape. */
export interface Cotangent {
  readonly view: View;
  readonly storage: Storage;
}

/**
 * `isLast` says that nobody goes through the graph again: what a node alone holds may be overwritten by its last kernel.
 */
export type Backward = (cotangents: readonly (Cotangent | undefined)[], isLast: boolean) => void;

/** What an operation needs of a tensor to record it. */
export interface Recordable {
  readonly source: Source | undefined;
  readonly storage: Storage;
}

interface Saved {
  readonly storage: Storage;
  readonly version: number;
}

let nodesMade = 0;
let paused = 0;

/** One operation that backward() goes through: what it needs stays held until then. */
export class GraphNode {
  /** Rises with creation, so that descending ids are an order for backward(). */
  readonly id = nodesMade++;
  readonly operation: string;
  #parents: readonly Source[];
  #saved: readonly Saved[] = [];
  readonly #outputs: Source[] = [];
  #backward: Backward | undefined;
  #holders = 0;
  readonly #observe: Observer | undefined;

  constructor(operation: string, inputs: readonly Recordable[]) {
    this.operation = operation;
    this.#observe = inputs[0]?.storage.tracker.observe;
    const parents: Source[] = [];
    for (const { source } of inputs) if (source !== undefined) parents.push(source);
    this.#parents = parents;
  }

  get parents(): readonly Source[] {
    return this.#parents;
  }

  /** The source of the next output, whose tensor is packed from 0 on. */
  output(shape: Shape): Source {
    const source = new Source(shape, 0, this);
    this.#outputs.push(source);
    return source;
  }

  /** Sets what backward() does here and which storages it reads then. */
  finish(saved: readonly Storage[], backward: Backward): void {
    const held: Saved[] = [];
    for (const storage of saved) {
      if (held.some((one) => one.storage === storage)) continue; // two holds would hide that the node alone has it
      storage.hold();
      held.push({ storage, version: storage.version });
    }
    this.#saved = held;
    for (const source of this.#parents) {
      source.users++;
      source.node?.hold();
    }
    this.#backward = this.#observe === undefined ? backward : this.#observe(backward);
  }

  /** Held by the tensors it made and the nodes that go through it; without any of them it has no use. */
  hold(): void {
    this.#holders++;
  }

  letGo(): void {
    this.#holders--;
    if (this.#holders === 0) this.consume();
  }

  get isConsumed(): boolean {
    return this.#backward === undefined;
  }

  run(isLast: boolean): void {
    const cotangents: (Cotangent | undefined)[] = [];
    let reached = false;
    for (const { gradient: storage, shape } of this.#outputs) {
      if (storage === undefined) {
        cotangents.push(undefined);
        continue;
      }
      reached = true;
      cotangents.push({
        storage,
        view: { buffer: storage.buffer, offset: 0, shape, strides: packedStrides(shape) },
      });
    }
    if (!reached) return;
    for (const { storage, version } of this.#saved) {
      storage.touch();
      if (storage.version !== version) throw changedError(this.operation, storage.shape);
    }
    this.#backward?.(cotangents, isLast);
  }

  dropGradients(): void {
    for (const output of this.#outputs) output.drop();
  }

  /** Gives back what backward() would have needed, here and behind nodes that only this one held. */
  consume(): void {
    const pending: GraphNode[] = [this];
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      const parents = node.#parents;
      for (const { storage } of node.#saved) storage.letGo(consumed);
      node.#saved = [];
      node.#parents = [];
      node.#backward = undefined;
      for (const source of parents) {
        source.users--;
        const parent = source.node;
        if (parent === undefined) continue;
        parent.#holders--;
        if (parent.#holders === 0) pending.push(parent);
      }
    }
  }
}

function changedError(operation: string, shape: Shape): SluiceError {
  return new SluiceError('argument', {
    rule: `what ${operation} needs for its gradient stays as it was until backward()`,
    received: `a tensor ${show(shape)} that was changed in place`,
    remedy: 'Change it after backward(), or change a clone().',
  });
}

/** The node of an operation, where gradients are on and one of its inputs wants them. */
export function startNode(operation: string, inputs: readonly Recordable[]): GraphNode | undefined {
  if (paused > 0 || inputs.every(({ source }) => source === undefined)) return undefined;
  return new GraphNode(operation, inputs);
}

export const isGradEnabled = (): boolean => paused === 0;

/**
 * Runs a function without recording operations for backward(). An async function's effect ends when its promise
 * settles, and holds for whatever runs meanwhile: await it before other work.
 */
export function noGrad<T>(body: () => T): T {
  paused++;
  let result: T;
  try {
    result = body();
  } catch (error) {
    paused--;
    throw error;
  }
  if (!(result instanceof Promise)) {
    paused--;
    return result;
  }
  return result.finally(() => {
    paused--;
  }) as T;
}

function nodesBehind(root: GraphNode): GraphNode[] {
  const found = new Set<GraphNode>([root]);
  for (const node of found) {
    if (node.isConsumed) {
      throw new SluiceError('freed', {
        rule: 'backward() goes through a graph once, and then gives back what it held',
        received: `a second pass through ${node.operation}`,
        remedy: 'Compute the result again, or give retainGraph: true to the first backward().',
      });
    }
    for (const { node: parent } of node.parents) if (parent !== undefined) found.add(parent);
  }
  return [...found].sort((a, b) => b.id - a.id);
}

/** Seeds a source's gradient and runs the nodes behind it, newest first; leaves collect theirs. */
export function propagate(source: Source, seed: () => void, retainGraph: boolean): void {
  const nodes = source.node === undefined ? [] : nodesBehind(source.node);
  for (const node of nodes) node.hold();
  try {
    seed();
    for (const node of nodes) {
      node.run(!retainGraph);
      node.dropGradients();
      if (!retainGraph) node.consume();
    }
  } finally {
    for (const node of nodes) {
      node.dropGradients();
      node.letGo();
    }
  }
}
