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
  for (const [name, layer] of model.namedLayers()) {
    if (!hooked.has(layer) && hookOne(name, layer, hook)) hooked.add(layer);
  }
  return () => {
    for (const layer of hooked) Reflect.deleteProperty(layer, 'forward');
  };
}

/** Puts a method of the layer's own before the one of its class. */
function hookOne(name: string, layer: Layer, hook: ForwardHook): boolean {
  const original: unknown = Reflect.get(layer, 'forward');
  if (typeof original !== 'function') return false;
  const value = (...args: readonly unknown[]): unknown => {
    const output: unknown = Reflect.apply(original, layer, args);
    if (!(output instanceof Tensor)) return output;
    const inputs = args.filter((argument) => argument instanceof Tensor);
    return hook({ name, layer, inputs, output }) ?? output;
  };
  Object.defineProperty(layer, 'forward', { value, configurable: true });
  return true;
}
