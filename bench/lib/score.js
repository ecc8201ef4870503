/**
 * A figure that is judged, or shown beside one that is; `row` and `device` place it in the table of all.
 * @typedef {object} Score
 * @property {string} row the work
 * @property {string} device ours that did it, or the peer
 * @property {string} of what it is measured by: `x PyTorch eager`, `of the ceiling`, `tokens/s`
 * @property {number} value
 * @property {number} [best] the same by best times
 * @property {number} [bound] what is wanted, as a number
 * @property {string} [wanted]
 * @property {boolean} [met]
 */

/**
 * @param {Omit<Score, 'wanted' | 'met'> & { atLeast?: number, atMost?: number, below?: number, or?: { wanted: string, met: boolean } }} given `or` does as well
 * @returns {Score[]} none where nothing was measured
 */
export function score({ atLeast, atMost, below, or, ...figure }) {
  const { value } = figure;
  if (value === undefined) return [];
  const bounds = [
    ...(atLeast === undefined ? [] : [{ wanted: `${atLeast} or more`, met: value >= atLeast }]),
    ...(atMost === undefined ? [] : [{ wanted: `${atMost} or less`, met: value <= atMost }]),
    ...(below === undefined ? [] : [{ wanted: `below ${below}`, met: value < below }]),
    ...(or === undefined ? [] : [or]),
  ];
  if (bounds.length === 0) return [figure];
  const bound = atLeast ?? atMost ?? below;
  return [
    { ...figure, bound, wanted: bounds.map(({ wanted }) => wanted).join(', or '), met: bounds.some(({ met }) => met) },
  ];
}

/** The newest Node has to reach the whole ratio to libraries of JavaScript, older ones two thirds. */
export const target = (ratio) => (Number.parseInt(process.versions.node, 10) >= 24 ? ratio : (ratio * 2) / 3);

/**
 * A case beside PyTorch and the ceiling, each of our devices in turn. What is wanted, is wanted of `native`.
 * @param {import('./answer.js').Answer} answer
 * @param {{ row?: string, flops?: number, eager?: object, compiled?: object, ceiling?: object }} [wanted] bounds as `score` takes them
 */
export function scores(answer, { row = answer.name, flops, ...wanted } = {}) {
  const bounds = (device, name) => (device === 'native' ? wanted[name] : undefined);
  const share = (device) => (flops === undefined ? undefined : answer.share(device, flops));
  return [
    ...['native', 'wasm'].flatMap((device) =>
      Object.entries({ eager: 'pytorch', compiled: 'compiled' }).flatMap(([name, peer]) =>
        score({
          ...{ row, device, of: name === 'eager' ? 'x PyTorch eager' : 'x torch.compile' },
          ...{ value: answer.ratio(device, peer), best: answer.bestRatio(device, peer) },
          ...bounds(device, name),
        }),
      ),
    ),
    ...['native', 'wasm', 'pytorch', 'compiled'].flatMap((device) =>
      score({ row, device, of: 'of the ceiling', value: share(device), ...bounds(device, 'ceiling') }),
    ),
  ];
}

/**
 * How many times as fast as TensorFlow.js and jax-js we are without a compiler.
 * @param {{ tensorflow: number, jax: number }} wanted of the newest Node
 */
export const browserScores = (answer, wanted) =>
  Object.entries(wanted).flatMap(([peer, ratio]) =>
    score({
      ...{ row: answer.name, device: 'wasm', of: `x ${peer === 'jax' ? 'jax-js' : 'TensorFlow.js'}` },
      ...{ value: answer.ratio('wasm', peer), best: answer.bestRatio('wasm', peer), atLeast: target(ratio) },
    }),
  );
