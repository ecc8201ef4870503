import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { Tensor } from '../tensor/index.js';

export interface NamedParameter {
  /** As in a Hugging Face checkpoint: `model.layers.0.self_attn.q_proj.weight`. */
  readonly name: string;
  readonly tensor: Tensor;
  /** Whether weight decay applies: to matrices of products, not to norms, biases, embeddings or learned activations. */
  readonly decay: boolean;
}

/** A property `qProj` holds what a checkpoint calls `q_proj`. */
const checkpointName = (property: string): string =>
  property.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/**
 * A part of a model: its learned tensors and sublayers are its properties, and their names in a checkpoint follow from
 * the properties' names. Wrap a layer to change it; do not override.
 */
export abstract class Layer {
  /** The names of the properties whose tensors decay. */
  get decayed(): readonly string[] {
    return [];
  }

  /** Every parameter once, in the order of the properties; a shared tensor under the first of its names. */
  namedParameters(prefix = '', seen = new Set<Tensor>()): NamedParameter[] {
    return Object.entries(this as Record<string, unknown>).flatMap(([property, value]) => {
      const name = `${prefix}${checkpointName(property)}`;
      if (value instanceof Tensor) {
        if (!value.requiresGrad || seen.has(value)) return [];
        seen.add(value);
        return [{ name, tensor: value, decay: this.decayed.includes(property) }];
      }
      if (value instanceof Layer) return value.namedParameters(`${name}.`, seen);
      if (!Array.isArray(value)) return [];
      return value.flatMap((item: unknown, i) =>
        item instanceof Layer ? item.namedParameters(`${name}.${i}.`, seen) : [],
      );
    });
  }

  parameters(): Tensor[] {
    return this.namedParameters().map(({ tensor }) => tensor);
  }

  /** How many numbers are learned. */
  get parameterCount(): number {
    return this.parameters().reduce((sum, tensor) => sum + tensor.size, 0);
  }

  /**
   * Copies values into the parameters.
   * @throws SluiceError `name` for a missing or unexpected tensor, `shape` where one does not fit; nothing is changed.
   */
  load(values: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number> }>): void {
    const parameters = this.namedParameters();
    const names = parameters.map(({ name }) => name);
    for (const name of values.keys()) {
      if (!names.includes(name)) {
        throw new SluiceError('name', {
          rule: 'a checkpoint has only tensors of the model',
          received: name,
          remedy: didYouMean(name, names, 'Is it another model type?'),
        });
      }
    }
    for (const { name, tensor } of parameters) {
      const value = values.get(name);
      if (value === undefined)
        throw new SluiceError('name', { rule: `a checkpoint has the tensor ${name}`, received: 'none' });
      if (value.shape.join() !== tensor.shape.join()) {
        throw new SluiceError('shape', {
          rule: `${name} has the shape [${tensor.shape.join(', ')}]`,
          received: value.shape,
        });
      }
    }
    for (const { name, tensor } of parameters) tensor.write(values.get(name)?.data ?? []);
  }
}
