/** A LLaMA of ours by its sizes, and a trainer of it on tokens that cost nothing to make. */

/** @param {{ vocabulary: number, dim: number, layers: number, heads: number, kvHeads?: number, hidden: number, context: number }} size */
export async function ourConfig({ vocabulary, ...size }) {
  const { llamaConfig } = await import('../../dist/models/llama.js');
  const { dim, layers, heads, kvHeads, hidden, context } = size;
  return llamaConfig({ vocabSize: vocabulary, dim, layers, heads, kvHeads, hidden, context });
}

/** What a training step costs, and how many parameters it trains. */
export async function ourSummary(size) {
  const { summarize } = await import('../../dist/models/summary.js');
  return summarize(await ourConfig(size), size.context);
}

export async function ourModel(device, size) {
  const { Initializer } = await import('../../dist/layers/initialization.js');
  const { Llama } = await import('../../dist/models/llama.js');
  return new Llama(new Initializer(device, 0), await ourConfig(size));
}

/** @param {{ batch: number, context: number, vocabulary: number }} size and what `ourConfig` takes */
export async function ourTrainer(device, size) {
  const { Trainer } = await import('../../dist/training/trainer.js');
  const { MemoryTokens } = await import('../../dist/data/token-source.js');
  const { batch, context, vocabulary } = size;
  const model = await ourModel(device, size);
  const tokens = new MemoryTokens(Array.from({ length: 65_536 }, (_, i) => (i * i) % vocabulary));
  return new Trainer(device, model, tokens, { batch, context, accumulate: 1, seed: 0 });
}
