/** LLaMA and Arcee by plain loops, from config.json and the weights by name: what models are held against. */
export interface Weight {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

export type Weights = ReadonlyMap<string, Weight>;
type Vector = readonly number[];

const dot = (a: Vector, b: Vector): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? Number.NaN), 0);
const add = (a: Vector, b: Vector): number[] => a.map((x, i) => x + (b[i] ?? Number.NaN));

/** W x, and the bias where there is one. */
function project(weights: Weights, name: string, x: Vector): number[] {
  const weight = weights.get(`${name}.weight`);
  if (weight === undefined) throw new Error(`there is no ${name}.weight`);
  const [outputs = 0, inputs = 0] = weight.shape;
  const bias = weights.get(`${name}.bias`);
  return Array.from({ length: outputs }, (_, o) => {
    const row = Array.from({ length: inputs }, (_, i) => weight.data[o * inputs + i] ?? Number.NaN);
    return dot(row, x) + (bias === undefined ? 0 : (bias.data[o] ?? Number.NaN));
  });
}

function normalize(weights: Weights, name: string, x: Vector, epsilon: number): number[] {
  const scale = 1 / Math.sqrt(dot(x, x) / x.length + epsilon);
  return x.map((value, i) => value * scale * (weights.get(`${name}.weight`)?.data[i] ?? Number.NaN));
}

/** Each head's halves turned by the angles of the position. */
function rotate(x: Vector, headDim: number, position: number, theta: number): number[] {
  return x.map((value, i) => {
    const [start, j] = [i - (i % headDim), i % headDim];
    const half = headDim / 2;
    const angle = position * theta ** ((-2 * (j % half)) / headDim);
    const other = x[start + ((j + half) % headDim)] ?? Number.NaN;
    return value * Math.cos(angle) + (j < half ? -other : other) * Math.sin(angle);
  });
}

interface Heads {
  readonly query: number;
  readonly keyValue: number;
  readonly dim: number;
}

/** Of one position's query with the keys and values up to it. */
function attend(query: Vector, keys: readonly Vector[], values: readonly Vector[], heads: Heads): number[] {
  return Array.from({ length: heads.query }, (_, head) => {
    const group = Math.floor((head * heads.keyValue) / heads.query);
    const part = (x: Vector, index: number): Vector => x.slice(index * heads.dim, (index + 1) * heads.dim);
    const scores = keys.map((key) => Math.exp(dot(part(query, head), part(key, group)) / Math.sqrt(heads.dim)));
    const total = scores.reduce((sum, score) => sum + score, 0);
    return part(query, head).map(
      (_, i) => values.reduce((sum, value, t) => sum + (scores[t] ?? 0) * (part(value, group)[i] ?? 0), 0) / total,
    );
  }).flat();
}

const silu = (x: number): number => x / (1 + Math.exp(-x));

function feedForward(weights: Weights, name: string, isGated: boolean, x: Vector): number[] {
  const up = project(weights, `${name}.up_proj`, x);
  const hidden = isGated
    ? project(weights, `${name}.gate_proj`, x).map((gate, i) => silu(gate) * (up[i] ?? Number.NaN))
    : up.map((value) => Math.max(0, value) ** 2);
  return project(weights, `${name}.down_proj`, hidden);
}

/** Logits of each position of a text; `config` is Transformers' config.json. */
export function logitsByLoops(config: Readonly<Record<string, unknown>>, weights: Weights, ids: Vector): number[] {
  const { model_type: type, hidden_size, num_attention_heads, num_key_value_heads, head_dim } = config;
  const [width, epsilon] = [Number(hidden_size), Number(config['rms_norm_eps'])];
  const heads = { query: Number(num_attention_heads), keyValue: Number(num_key_value_heads), dim: Number(head_dim) };
  const theta = Number((config['rope_parameters'] as { rope_theta: number }).rope_theta);
  const embedding = weights.get('model.embed_tokens.weight');
  let states = ids.map((id) => Array.from({ length: width }, (_, i) => embedding?.data[id * width + i] ?? Number.NaN));
  for (let layer = 0; layer < Number(config['num_hidden_layers']); layer++) {
    const name = `model.layers.${layer}`;
    const inputs = states.map((x) => normalize(weights, `${name}.input_layernorm`, x, epsilon));
    const of = (part: string): number[][] => inputs.map((x) => project(weights, `${name}.self_attn.${part}_proj`, x));
    const turned = (rows: readonly Vector[]): number[][] => rows.map((x, at) => rotate(x, heads.dim, at, theta));
    const [queries, keys, values] = [turned(of('q')), turned(of('k')), of('v')];
    states = states.map((x, at) => {
      const mixed = attend(queries[at] ?? [], keys.slice(0, at + 1), values.slice(0, at + 1), heads);
      const middle = add(x, project(weights, `${name}.self_attn.o_proj`, mixed));
      const normed = normalize(weights, `${name}.post_attention_layernorm`, middle, epsilon);
      return add(middle, feedForward(weights, `${name}.mlp`, type === 'llama', normed));
    });
  }
  const head = config['tie_word_embeddings'] === true ? 'model.embed_tokens' : 'lm_head';
  return states.flatMap((x) => project(weights, head, normalize(weights, 'model.norm', x, epsilon)));
}
