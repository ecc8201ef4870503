/** Losses of which back-propagation is shown. */
export const explainedLosses = ['half-squared-error', 'mse', 'huber', 'binary-cross-entropy', 'cross-entropy'] as const;
export type ExplainedLoss = (typeof explainedLosses)[number];
