/** What can this machine do at all, and how dear is a special function beside products? */
import { main } from './lib/question.js';
import { score } from './lib/score.js';
import { workers, works } from './lib/works.js';

const row = "this machine's ceilings";

function report(answers) {
  const best = {};
  const rows = answers.map((answer) => {
    const { work, amount, unit } = answer.item;
    const speeds = Object.keys(workers).map((name) => [name, answer.speed(name, amount)]);
    best[work] = Math.max(...speeds.map(([, speed]) => speed ?? 0));
    return { work, unit, best: best[work], ...Object.fromEntries(speeds) };
  });
  const ratio = { work: 'FLOPs of a product in the time of an exp', unit: '', best: best.product / best.exp };
  const units = works(true);
  const scores = Object.entries(best).flatMap(([work, value]) =>
    score({ row, device: 'best', of: `${units[work].unit}, ${work}`, value }),
  );
  return { rows: [...rows, ratio], scores };
}

main(import.meta.url, {
  name: 'ceilings',
  title: "This machine's ceilings: the best of every library at hand",
  rounds: 9,
  ours: ['native', 'wasm'],
  cases: (quick) => Object.values(works(quick)),
  contenders: workers,
  truth: async () => () => [],
  report,
});
