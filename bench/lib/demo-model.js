/** A preset's model (the demo's is what `npm start` trains), and a trainer on tokens that cost nothing to make. */

/** @param {{ preset?: string, context?: number, batch?: number, layers?: number }} [options] a preset, and its settings to change */
export async function demoTrainer(device, { preset = 'demo', ...changes } = {}) {
  const { complete, presetNamed } = await import('../../dist/runs/presets.js');
  const { configOf } = await import('../../dist/runs/model.js');
  const { Initializer } = await import('../../dist/layers/initialization.js');
  const { Llama } = await import('../../dist/models/llama.js');
  const { summarize } = await import('../../dist/models/summary.js');
  const { Trainer } = await import('../../dist/training/trainer.js');
  const { MemoryTokens } = await import('../../dist/data/token-source.js');
  const { parseTokenizerSpec } = await import('../../dist/data/tokenizer-spec.js');
  const settings = complete({ data: 'demo', ...presetNamed(preset), ...changes });
  const { seed, batch, context } = settings;
  const vocabulary = parseTokenizerSpec(settings.tokenizer).vocabularySize;
  const config = configOf(settings, vocabulary);
  const model = new Llama(new Initializer(device, seed), config);
  const tokens = new MemoryTokens(Array.from({ length: 65_536 }, (_, i) => (i * i) % vocabulary));
  const trainer = new Trainer(device, model, tokens, { batch, context, accumulate: 1, seed });
  const size = `${preset}: ${settings.dim} wide, ${settings.layers} layers, vocabulary ${vocabulary}, batch ${batch} x ${context}`;
  return { trainer, model, settings, size, summary: summarize(config, context) };
}
