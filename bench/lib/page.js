/** What was measured, in Markdown. */
import { cell, markdown, markdownTable } from './table.js';

/** The scores of all answers. */
export const board = (answers) => answers.flatMap(({ scores }) => scores);

/** A run of all questions: what was wanted first, then each answer. */
export function section({ date, node, machine, picture, answers }) {
  const wanted = board(answers).filter((score) => score.wanted !== undefined);
  const rows = wanted.map(({ row, device, of, value, wanted, met }) => ({
    work: row,
    device,
    value: `${cell(value)} ${of}`,
    wanted,
    '': met ? 'reached' : '**not reached**',
  }));
  return `## Node ${node.slice(1)}, ${date}

${machine}

![Ratios to PyTorch and shares of the ceiling](results/${picture})

${markdownTable(rows)}

${beside(board(answers))}

${answers.map((answer) => markdown(answer)).join('\n')}`;
}

/** Each work beside PyTorch, with a compiler and without. */
function beside(scores) {
  const columns = ['x PyTorch eager', 'x torch.compile', 'of the ceiling', 'of read bandwidth'];
  const works = new Map();
  for (const { row, device, of, value } of scores) {
    if (!columns.includes(of)) continue;
    works.set(row, { ...works.get(row), [`${device} ${of}`]: value });
  }
  return markdownTable([...works].map(([work, values]) => ({ work, ...values })));
}
