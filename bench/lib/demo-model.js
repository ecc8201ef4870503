/** The model that `npm start` trains, and a trainer on tokens that cost nothing to make. */
const vocabulary = 2048;

/** @param {{ context?: number, batch?: number, layers?: number }} [changes] of the demo's settings */
export async function demoTrainer(device, changes = {}) {
  const { complete, presetNamed } = await import('../../dist/runs/presets.js');
  const { configOf } = await import('../../dist/runs/model.js');
  const { Initializer } = await import('../../dist/layers/initialization.js');
  const { Llama } = await import('../../dist/models/llama.js');
  const { summarize } = await import('../../dist/models/summary.js');
  const { Trainer } = await import('../../dist/training/trainer.js');
  const { MemoryTokens } = await import('../../dist/data/token-source.js');
  const settings = complete({ ...presetNamed('demo'), ...changes });
  const { seed, batch, context } = settings;
  const config = configOf(settings, vocabulary);
  const model = new Llama(new Initializer(device, seed), config);
  const tokens = new MemoryTokens(
    Array.from({ length: 65_536 }, (_, i) => Math.imul(i * i, 40_503) & (vocabulary - 1)),
  );
  const trainer = new Trainer(device, model, tokens, { batch, context, accumulate: 1, seed });
  const size = `${settings.dim} wide, ${settings.layers} layers, vocabulary ${vocabulary}, batch ${batch} x ${context}`;
  return { trainer, model, settings, size, summary: summarize(config, context) };
}
