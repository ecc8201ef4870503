/** The tensors of a file under the names of a model, however the file spells them. */
import { SluiceError } from '../base/errors.js';
import type { WeightReader } from '../layers/layer.js';

/** What old versions of Transformers saved though nothing learns it: masks, positions, the angles of rotary positions. */
const buffers = [
  /(^|\.)attn\.(masked_)?bias$/,
  /(^|\.)crossattention\.(masked_)?bias$/,
  /(^|\.)attention\.(masked_bias|bias)$/,
  /(^|\.)rotary_emb\.(inv_freq|original_inv_freq|cos_cached|sin_cached)$/,
  /(^|\.)(position_ids|token_type_ids)$/,
];

/** Parts that stand on a model for another task; without them the rest computes what it did. */
const otherHeads = /^(\w+\.)?(pooler\.|cls\.|classifier\.|score\.|qa_outputs\.|head\.|decoder\.bias$)/;

const embedding = /(^|\.)(embed_tokens|wte|word_embeddings|tok_embeddings|shared)\.weight$/;

/** The product that shares the embedding's weight where a model ties them. */
const tiedHead = /(^|\.)(lm_head|embed_out|decoder)\.weight$/;

export interface NamedWeights {
  readonly weights: WeightReader;
  /** What of the file the model has no use for: buffers, a tied head, heads for another task. */
  readonly leftOut: readonly string[];
}

/** Matches the names of a file with those that a model has. */
class Names {
  readonly #wanted: ReadonlySet<string>;
  /** Of `model.layers.0.mlp` it is `model.`. */
  readonly #prefixes: readonly string[];

  constructor(wanted: Iterable<string>) {
    this.#wanted = new Set(wanted);
    this.#prefixes = [...new Set([...this.#wanted].map((name) => name.slice(0, name.indexOf('.') + 1)))];
  }

  /** The model's name of a tensor; undefined where it has none. */
  of(name: string): string | undefined {
    const modern = name.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias');
    const inner = modern.slice(modern.indexOf('.') + 1);
    const spellings = [modern, ...this.#prefixes.map((prefix) => `${prefix}${modern}`), inner];
    return spellings.find((spelling) => this.#wanted.has(spelling));
  }

  /** The model's embedding. */
  get embedding(): string | undefined {
    return [...this.#wanted].find((name) => embedding.test(name));
  }
}

/**
 * A file's tensors by the names of a model: with or without the prefix of the base model (`model.`, `transformer.`,
 * `bert.`), LayerNorm's `gamma` and `beta` as weight and bias, buffers, tied heads and the heads of other tasks left out.
 * Names that fit nothing stay as they are, for `Layer.load` to refuse.
 * @param wanted the names of the model's parameters.
 * @throws SluiceError `checkpoint` for two tensors that stand for one.
 */
export function namedFor(file: WeightReader, wanted: Iterable<string>): NamedWeights {
  const names = new Names(wanted);
  const sources = new Map<string, string>();
  const leftOut: string[] = [];
  const put = (name: string, source: string): void => {
    const other = sources.get(name);
    if (other !== undefined) throw twice(name, [other, source]);
    sources.set(name, source);
  };
  const heads: string[] = [];
  for (const source of file.names()) {
    const name = names.of(source);
    if (name !== undefined) put(name, source);
    else if (tiedHead.test(source)) heads.push(source);
    else if (buffers.some((buffer) => buffer.test(source)) || otherHeads.test(source)) leftOut.push(source);
    else put(source, source);
  }
  const shared = names.embedding;
  for (const head of heads) {
    // Of a tied pair a file may have either.
    if (shared !== undefined && !sources.has(shared)) sources.set(shared, head);
    else leftOut.push(head);
  }
  return { weights: renamed(file, sources), leftOut };
}

function renamed(file: WeightReader, sources: ReadonlyMap<string, string>): WeightReader {
  const source = (name: string): string => sources.get(name) ?? name;
  const { float32Pieces } = file;
  return {
    names: () => [...sources.keys()],
    info: (name) => file.info(source(name)),
    readFloat32: (name) => file.readFloat32(source(name)),
    ...(float32Pieces === undefined ? {} : { float32Pieces: (name) => float32Pieces.call(file, source(name)) }),
  };
}

const twice = (name: string, received: readonly string[]): SluiceError =>
  new SluiceError('checkpoint', {
    rule: `a tensor is in its file once: ${name}`,
    received,
    remedy: 'The file mixes two spellings of one model: write it anew from the model itself.',
  });

/**
 * The head of a file beside its embedding, where a model ties them and the file has both: its config.json may lie.
 * Undefined where there is at most one.
 */
export function untiedPair(file: WeightReader, wanted: Iterable<string>): readonly [string, string] | undefined {
  const names = new Names(wanted);
  const shared = names.embedding;
  const found = file.names();
  const head = found.find((name) => tiedHead.test(name) && names.of(name) === undefined);
  const own = found.find((name) => shared !== undefined && names.of(name) === shared);
  return head === undefined || own === undefined ? undefined : [own, head];
}
