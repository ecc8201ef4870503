/** The generation_config.json that Transformers derives from a config.json: it leaves out what is null. */
export const encodeGenerationConfig = (endOfText?: number): Record<string, unknown> => ({
  _from_model_config: true,
  ...(endOfText === undefined ? {} : { eos_token_id: endOfText }),
});
