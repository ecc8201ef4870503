/** How fast does an LSTM character model train? Forward, truncated back-propagation, clipping and AdamW, the state carried on. */
import { openTensorflow, ours, pytorch } from './lib/contenders.js';
import { main } from './lib/question.js';
import { browserScores, scores } from './lib/score.js';

const size = { vocabulary: 65, hidden: 256, layers: 2, batch: 32, context: 100 };

/** Of both LSTMs' products and the head's, forward and backward. */
const flopsOf = ({ vocabulary, hidden, layers, batch, context }) =>
  6 * batch * context * (layers * 8 * hidden * hidden + hidden * vocabulary);

/** Both biases of a gate are learned, as in PyTorch. */
const parametersOf = ({ vocabulary, hidden, layers }) =>
  layers * (8 * hidden * hidden + 8 * hidden) + vocabulary * (2 * hidden + 1);

/** Tokens without a pattern: what is learned by heart soon has gradients too small for a processor's fast path. */
function tokensOf({ vocabulary }) {
  let state = 1;
  return Array.from({ length: 65_536 }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor(state / 65_536) % vocabulary;
  });
}

const sluice = async ({ device }) => {
  const { Trainer } = await import('../dist/training/trainer.js');
  const { MemoryTokens } = await import('../dist/data/token-source.js');
  const { recurrentLanguageModel } = await import('../dist/models/recurrent-language-model.js');
  return async (item) => {
    const { vocabulary: vocabSize, hidden, layers, batch, context } = item;
    const model = recurrentLanguageModel(device, { cell: 'lstm', vocabSize, hidden, layers });
    const trainer = new Trainer(device, model, new MemoryTokens(tokensOf(item)), {
      ...{ batch, context, accumulate: 1, seed: 0 },
    });
    const dispose = () => {
      trainer.optimizer.dispose();
      model.dispose();
    };
    return { run: () => trainer.step(1e-3), check: () => [model.parameterCount], dispose };
  };
};

/** Its own layers, fit on a batch; one bias a gate, and no state carried on, which would only cost it more. */
async function tensorflow() {
  const { tf, description } = await openTensorflow();
  const prepare = async (item) => {
    const { vocabulary, hidden, layers, batch, context } = item;
    const model = tf.sequential();
    // Its wasm backend has no gradient of an embedding: the same vectors, as a product with the tokens' unit vectors.
    model.add(tf.layers.dense({ units: hidden, useBias: false, inputShape: [context, vocabulary] }));
    const lstm = { units: hidden, returnSequences: true, recurrentInitializer: 'glorotUniform' };
    for (let i = 0; i < layers; i++) model.add(tf.layers.lstm(lstm));
    model.add(tf.layers.dense({ units: vocabulary }));
    const optimizer = tf.train.adam(1e-3);
    const tokens = tokensOf(item);
    const batchAt = (shift) => Int32Array.from({ length: batch * context }, (_, i) => tokens[i + shift]);
    const run = () => {
      const loss = tf.tidy(() => {
        const inputs = tf.oneHot(tf.tensor1d(batchAt(0), 'int32'), vocabulary).reshape([batch, context, vocabulary]);
        const targets = tf.oneHot(tf.tensor1d(batchAt(1), 'int32'), vocabulary);
        return optimizer.minimize(
          () => tf.losses.softmaxCrossEntropy(targets, model.apply(inputs).reshape([-1, vocabulary])),
          true,
        );
      });
      loss.dataSync();
      loss.dispose();
    };
    return { run, check: () => [parametersOf(item)] };
  };
  return { description, prepare };
}

main(import.meta.url, {
  name: 'lstm',
  title: 'Training step of an LSTM character model',
  rounds: 7,
  ours: ['native', 'wasm'],
  ceiling: 'product',
  cases: (quick) => [
    {
      name: 'LSTM step, 2 x 256, 32 x 100',
      ...{ ...size, ...(quick ? { batch: 2, context: 8 } : {}), timing: { repetitions: 3, minimum: 300 } },
    },
  ],
  contenders: { ...ours(sluice), ...pytorch('lstm_step', { pytorch: 'eager' }), tensorflow },
  truth: async () => (item) => [parametersOf(item)],
  report: async (answers) => {
    const [rows, figures] = [[], []];
    for (const answer of answers) {
      const flops = flopsOf(answer.item);
      for (const name of ['native', 'wasm', 'single', 'pytorch', 'tensorflow']) {
        rows.push({
          model: answer.name,
          library: name,
          ms: answer.milliseconds(name),
          'GFLOP/s': answer.speed(name, flops),
        });
      }
      figures.push(...scores(answer, { flops, eager: { atLeast: 1.5 } }), ...browserScores(answer, { tensorflow: 5 }));
    }
    return { rows, scores: figures };
  },
});
