/** How fast is a matrix product? Ours on two threads beside the BLAS itself, and beside what each peer has. */
import { expectedRows, products } from './lib/products.js';
import { main } from './lib/question.js';
import { browserScores, score, scores } from './lib/score.js';

main(import.meta.url, {
  name: 'matmul',
  title: 'Matrix product, float32, GFLOP/s',
  rounds: 9,
  ours: ['native', 'wasm', 'single'],
  cases: (quick) =>
    (quick ? [128] : [512, 1024, 2048]).map((size) => ({
      name: `product of ${size} cubed`,
      ...{ size, tolerance: 1e-5, timing: { repetitions: 3, minimum: 100 } },
    })),
  contenders: products,
  truth: async () => expectedRows,
  report: (answers) => {
    const rows = answers.map((answer) => ({
      product: answer.item.size,
      ...Object.fromEntries(Object.keys(products).map((name) => [name, answer.speed(name, 2 * answer.item.size ** 3)])),
      'native x BLAS': answer.ratio('native', 'blas'),
    }));
    const figures = answers.flatMap((answer) => [
      ...scores(answer),
      ...score({
        ...{ row: answer.name, device: 'native', of: 'x the BLAS called directly' },
        ...{ value: answer.ratio('native', 'blas'), best: answer.bestRatio('native', 'blas'), atLeast: 0.97 },
      }),
      ...(answer.item.size === 1024 ? browserScores(answer, { tensorflow: 3, jax: 3 }) : []),
    ]);
    return { rows, scores: figures };
  },
});
