import { Tensor } from '../tensor/index.js';
import type { Layer } from './layer.js';

/** One call of a layer's `forward`. */
export interface ForwardCall {
  /** As in `namedLayers`; '' for the model itself. */
  readonly name: string;
  readonly layer: Layer;
  /** The tensors among its arguments, in their order. */
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
}

/** Looks at a call, and may give another tensor in place of its output. */
export type ForwardHook = (call: ForwardCall) => Tensor | undefined;

/**
 * Calls the hook behind each `forward` of a model and of the layers within it that gives a tensor, the inner one first,
 * until the function that it returns is called. A layer that nobody hooks runs as if there were no hooks.
 */
export function onForward(model: Layer, hook: ForwardHook): () => void {
  const hooked = new Set<Layer>();
  const undo: (() => void)[] = [];
  for (const [name, layer] of model.namedLayers()) {
    if (hooked.has(layer) || typeof Reflect.get(layer, 'forward') !== 'function') continue;
    hooked.add(layer);
    undo.push(hookOne(layer, { name, hook }));
  }
  return () => {
    for (const one of undo) one();
  };
}

interface Entry {
  readonly name: string;
  readonly hook: ForwardHook;
}

/** The hooks of each layer that has some, in the order in which they came. */
const entriesOf = new WeakMap<Layer, Set<Entry>>();

function hookOne(layer: Layer, entry: Entry): () => void {
  const entries = entriesOf.get(layer) ?? wrapped(layer);
  entries.add(entry);
  return () => {
    if (!entries.delete(entry) || entries.size > 0) return;
    Reflect.deleteProperty(layer, 'forward');
    entriesOf.delete(layer);
  };
}

/** Puts a method of the layer's own before the one of its class. */
function wrapped(layer: Layer): Set<Entry> {
  const entries = new Set<Entry>();
  const original = Reflect.get(layer, 'forward') as (...args: readonly unknown[]) => unknown;
  const value = (...args: readonly unknown[]): unknown => {
    const output: unknown = Reflect.apply(original, layer, args);
    if (!(output instanceof Tensor)) return output;
    const inputs = args.filter((argument) => argument instanceof Tensor);
    return [...entries].reduce<Tensor>(
      (result, { name, hook }) => hook({ name, layer, inputs, output: result }) ?? result,
      output,
    );
  };
  Object.defineProperty(layer, 'forward', { value, configurable: true });
  entriesOf.set(layer, entries);
  return entries;
}
