import type { AttentionShape } from '../../kernels/attention.js';
import type { AttentionGradients, AttentionViews, View } from '../device.js';
import { accessor } from './walk.js';

type Span = readonly [begin: number, end: number];

/** The keys that a query sees, from the first to the one after the last. */
function visibleKeys(shape: AttentionShape, ranges: View | undefined): (z: number, i: number) => Span {
  const reach = (i: number): number => (shape.causal ? shape.keyLength - shape.queryLength + i + 1 : shape.keyLength);
  if (ranges === undefined) return (_, i) => [0, reach(i)];
  const range = accessor(ranges);
  return (z, i) => [Math.max(range.get(z, i, 0), 0), Math.min(range.get(z, i, 1), shape.keyLength, reach(i))];
}

/** Calls back for every query: batch, query position, head, and the key/value head that serves it. */
function forEachQuery(shape: AttentionShape, visit: (z: number, i: number, h: number, kv: number) => void): void {
  const group = shape.heads / shape.keyValueHeads;
  for (let z = 0; z < shape.batch; z++)
    for (let h = 0; h < shape.heads; h++)
      for (let i = 0; i < shape.queryLength; i++) visit(z, i, h, Math.floor(h / group));
}

const sumOver = (count: number, term: (d: number) => number): number => {
  let sum = 0;
  for (let d = 0; d < count; d++) sum += term(d);
  return sum;
};

export function attention(shape: AttentionShape, views: AttentionViews): void {
  const [query, key, value] = [accessor(views.query), accessor(views.key), accessor(views.value)];
  const [output, logSumExp] = [accessor(views.output), accessor(views.logSumExp)];
  const visible = visibleKeys(shape, views.ranges);
  forEachQuery(shape, (z, i, h, kv) => {
    const [begin, end] = visible(z, i);
    const scores = Array.from(
      { length: Math.max(0, end - begin) },
      (_, j) => shape.scale * sumOver(shape.headDim, (d) => query.get(z, i, h, d) * key.get(z, begin + j, kv, d)),
    );
    const largest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const total = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0);
    logSumExp.set(total === 0 ? Number.NEGATIVE_INFINITY : largest + Math.log(total), z, h, i);
    for (let d = 0; d < shape.headDim; d++) {
      const weight = (score: number): number => Math.exp(score - largest) / total;
      const mixed = scores.reduce((sum, score, j) => sum + weight(score) * value.get(z, begin + j, kv, d), 0);
      output.set(mixed, z, i, h, d);
    }
  });
}

/** With P = softmax(S), S = scale Q K^T: dV = P^T dO, dS = P (dO V^T - rowsum(dO O)), dQ = scale dS K, dK = scale dS^T Q. */
export function attentionGradient(shape: AttentionShape, views: AttentionViews, gradients: AttentionGradients): void {
  const { headDim, scale } = shape;
  const [query, key, value] = [accessor(views.query), accessor(views.key), accessor(views.value)];
  const [output, logSumExp] = [accessor(views.output), accessor(views.logSumExp)];
  const [dOutput, dQuery] = [accessor(gradients.output), accessor(gradients.query)];
  const [dKey, dValue] = [accessor(gradients.key), accessor(gradients.value)];
  forEachQuery(shape, (z, i, h) => {
    for (let d = 0; d < headDim; d++) dQuery.set(0, z, i, h, d);
  });
  forEachQuery({ ...shape, heads: shape.keyValueHeads, queryLength: shape.keyLength }, (z, j, kv) => {
    for (let d = 0; d < headDim; d++) {
      dKey.set(0, z, j, kv, d);
      dValue.set(0, z, j, kv, d);
    }
  });
  const visible = visibleKeys(shape, views.ranges);
  forEachQuery(shape, (z, i, h, kv) => {
    const [begin, end] = visible(z, i);
    const inner = sumOver(headDim, (d) => dOutput.get(z, i, h, d) * output.get(z, i, h, d));
    for (let j = begin; j < end; j++) {
      const score = scale * sumOver(headDim, (d) => query.get(z, i, h, d) * key.get(z, j, kv, d));
      const probability = Math.exp(score - logSumExp.get(z, h, i));
      const dProbability = sumOver(headDim, (d) => dOutput.get(z, i, h, d) * value.get(z, j, kv, d));
      const dScore = probability * (dProbability - inner);
      for (let d = 0; d < headDim; d++) {
        dValue.add(probability * dOutput.get(z, i, h, d), z, j, kv, d);
        dQuery.add(scale * dScore * key.get(z, j, kv, d), z, i, h, d);
        dKey.add(scale * dScore * query.get(z, i, h, d), z, j, kv, d);
      }
    }
  });
}
