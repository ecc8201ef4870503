/**
 * A bag of tokens: the mean of the tokens' vectors, whatever their order, and an MLP behind it. What remembers the order
 * has to be better than this. Source: Iyyer 2015; Joulin 2016, arXiv:1607.01759.
 */
import { Embedding } from '../layers/embedding.js';
import type { Initializer } from '../layers/initialization.js';
import { Layer } from '../layers/layer.js';
import type { Mode } from '../layers/mode.js';
import { requireAxes } from '../layers/shapes.js';
import { internal, type Tensor } from '../tensor/index.js';
import { Mlp, type MlpConfig } from './mlp.js';

export interface BagConfig {
  /** How many tokens there are. */
  readonly vocabSize: number;
  /** Takes the mean vector: its `inputs` are the width of a token's. */
  readonly mlp: MlpConfig;
}

export class BagOfTokens extends Layer {
  readonly embedding: Embedding;
  readonly mlp: Mlp;

  constructor(init: Initializer, { vocabSize, mlp }: BagConfig) {
    super();
    this.embedding = new Embedding(init, vocabSize, mlp.inputs, 1);
    this.mlp = new Mlp(init, mlp);
  }

  /**
   * int32 [count, length] to [count, outputs].
   * @param mask [count, length], 1 for a token and 0 for padding, which enters no mean
   */
  forward(tokens: Tensor, mask: Tensor, mode: Mode): Tensor {
    const [count, length] = tokens.shape;
    requireAxes('the mask of a bag of tokens', { count, length }, mask);
    return internal(() => {
      const vectors = this.embedding.forward(tokens).mul(mask.unsqueeze(-1));
      return this.mlp.forward(vectors.sum(1).div(mask.sum(1, { keepdim: true })), mode);
    });
  }
}
