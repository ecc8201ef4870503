import { internal, noGrad, scope, Tensor } from '../tensor/index.js';
import { checkWeights } from './weight-check.js';

export interface NamedParameter {
  /** As in a Hugging Face checkpoint: `model.layers.0.self_attn.q_proj.weight`. */
  readonly name: string;
  readonly tensor: Tensor;
  /** Whether weight decay applies: to matrices of products, not to norms, biases, embeddings or learned activations. */
  readonly decay: boolean;
}

/** A property `qProj` holds what a checkpoint calls `q_proj`; one with a capital in front, `LayerNorm`, what is called so there. */
export const checkpointName = (property: string): string =>
  /^[A-Z]/.test(property) ? property : property.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Tensors by name, read one at a time: a `SafetensorsFile`, or what `parseSafetensors` gives. */
export interface WeightReader {
  names(): readonly string[];
  info(name: string): { readonly shape: readonly number[] };
  readFloat32(name: string): ArrayLike<number> | Promise<ArrayLike<number>>;
  /** The values in order, a piece at a time, each good until the next: a tensor need not be in memory twice. */
  float32Pieces?(name: string): AsyncIterable<Float32Array>;
}

/**
 * The tensors of a part of a larger checkpoint, without the part's name in front of theirs.
 * @example await lstm.load(weightsUnder(file, 'encoder.lstm'));
 */
export function weightsUnder(weights: WeightReader, part: string): WeightReader {
  const prefix = `${part}.`;
  const pieces = weights.float32Pieces?.bind(weights);
  return {
    names: () => weights.names().flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : [])),
    info: (name) => weights.info(prefix + name),
    readFloat32: (name) => weights.readFloat32(prefix + name),
    ...(pieces === undefined ? {} : { float32Pieces: (name: string) => pieces(prefix + name) }),
  };
}

interface Part {
  readonly property: string;
  readonly name: string;
  readonly value: Tensor | Layer;
}

/**
 * A part of a model: its learned tensors and sublayers are its properties, and their names in a checkpoint follow from
 * the properties' names. Wrap a layer to change it; do not override.
 */
export abstract class Layer implements Disposable {
  /** The names of the properties whose tensors decay. */
  get decayed(): readonly string[] {
    return [];
  }

  /** Numbers that checkpoints hold beside its tensors, though nothing learns them. */
  get constants(): Readonly<Record<string, number>> {
    return {};
  }

  /** What has the tensors and sublayers: the layer itself, unless it keeps them by names of their own. */
  protected get members(): object {
    return this;
  }

  #parts(): Part[] {
    const isPart = (value: unknown): value is Tensor | Layer => value instanceof Tensor || value instanceof Layer;
    return Object.entries(this.members).flatMap(([property, value]: [string, unknown]): Part[] => {
      const name = checkpointName(property);
      if (isPart(value)) return [{ property, name, value }];
      if (!Array.isArray(value)) return [];
      return value.flatMap((item: unknown, i) =>
        isPart(item) ? [{ property, name: `${name}.${i}`, value: item }] : [],
      );
    });
  }

  /** Every parameter once, in the order of the properties; a shared tensor under the first of its names. */
  namedParameters(prefix = '', seen = new Set<Tensor>()): NamedParameter[] {
    return this.#parts().flatMap(({ property, name, value }) => {
      if (value instanceof Layer) return value.namedParameters(`${prefix}${name}.`, seen);
      if (!value.requiresGrad || seen.has(value)) return [];
      seen.add(value);
      return [{ name: `${prefix}${name}`, tensor: value, decay: this.decayed.includes(property) }];
    });
  }

  /** This layer and those within, each under its name: `model.layers.0.mlp`. */
  *namedLayers(name = ''): Generator<readonly [name: string, layer: Layer]> {
    yield [name, this];
    for (const part of this.#parts()) {
      if (part.value instanceof Layer) yield* part.value.namedLayers(name === '' ? part.name : `${name}.${part.name}`);
    }
  }

  /** The constants of this layer and of those within, as in a checkpoint. */
  namedConstants(): ReadonlyMap<string, number> {
    const named = new Map<string, number>();
    for (const [name, layer] of this.namedLayers()) {
      for (const [constant, value] of Object.entries(layer.constants)) {
        named.set(name === '' ? constant : `${name}.${constant}`, value);
      }
    }
    return named;
  }

  parameters(): Tensor[] {
    return this.namedParameters().map(({ tensor }) => tensor);
  }

  /** How many numbers are learned. */
  get parameterCount(): number {
    return this.parameters().reduce((sum, tensor) => sum + tensor.size, 0);
  }

  /**
   * Fills the parameters from a file, a tensor at a time.
   * @throws SluiceError `checkpoint` that names the tensors which are missing, unexpected or of another shape; the layer
   * is then as it was.
   */
  async load(weights: WeightReader): Promise<void> {
    const parameters = this.namedParameters();
    const constants = this.namedConstants();
    await checkWeights(weights, parameters, constants);
    for (const { name, tensor } of parameters) {
      const pieces = weights.float32Pieces?.(name);
      if (pieces === undefined) tensor.write(await weights.readFloat32(name));
      else await writePieces(tensor, pieces);
    }
  }

  /** Gives back the memory of its tensors and those of its sublayers, gradients included. */
  dispose(): void {
    for (const { value } of this.#parts()) value.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

async function writePieces(tensor: Tensor, pieces: AsyncIterable<Float32Array>): Promise<void> {
  let at = 0;
  for await (const piece of pieces) {
    const start = at;
    // The views go at once: they hold the memory.
    scope(tensor.device, () => {
      noGrad(() => internal(() => tensor.reshape([tensor.size]).narrow(0, start, piece.length).write(piece)));
    });
    at += piece.length;
  }
}
