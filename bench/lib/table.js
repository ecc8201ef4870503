/** A number in a table: three significant digits, or as it is. */
export function cell(value) {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'number') return String(value);
  if (!Number.isFinite(value) || Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** Columns of which at least one row has something. */
const columnsOf = (rows) => [
  ...new Set(rows.flatMap((row) => Object.keys(row).filter((name) => row[name] !== undefined))),
];

const conditionLines = ({ descriptions, disturbed }) => [
  ...Object.values(descriptions),
  ...(disturbed.length === 0
    ? []
    : [`DISTURBED by other processes, by which PyTorch loses more than others: ${disturbed.join('; ')}`]),
];

/** A result for people, in a terminal. */
export function printTable({ title, conditions, rows, scores }) {
  console.log(`${title}\n`);
  for (const line of conditionLines(conditions)) console.log(`  ${line}`);
  const columns = columnsOf(rows);
  const lines = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  console.log('');
  for (const line of lines) {
    console.log(line.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join('  '));
  }
  console.log('');
  for (const score of scores) console.log(scoreLine(score));
}

/** What was asked, what came out, and whether that reaches what we set ourselves. */
export function scoreLine({ row, device, of, value, best, wanted, met }) {
  const remarks = [
    ...(best === undefined ? [] : [`by best times ${cell(best)}`]),
    ...(wanted === undefined ? [] : [`wanted: ${wanted}`, met ? 'reached' : 'NOT reached']),
  ];
  return `${row}, ${device}: ${cell(value)} ${of}${remarks.length === 0 ? '' : ` (${remarks.join('; ')})`}`;
}

/** Rows in Markdown. */
export function markdownTable(rows) {
  const columns = columnsOf(rows);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    line(columns),
    line(columns.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...rows.map((row) => line(columns.map((column) => cell(row[column])))),
  ].join('\n');
}

/** A result in Markdown. */
export function markdown({ title, date, load, conditions, rows, scores }) {
  return [
    `### ${title}`,
    '',
    ...conditionLines(conditions).map((line) => `- ${line}`),
    `- ${date}, load before and after ${load.before.toFixed(1)}, ${load.after.toFixed(1)}`,
    '',
    markdownTable(rows),
    '',
    ...scores.filter(({ wanted }) => wanted !== undefined).map((score) => `- ${scoreLine(score)}`),
    '',
  ].join('\n');
}
