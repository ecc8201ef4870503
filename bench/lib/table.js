/** A number in a table: three significant digits, or as it is. */
export function cell(value) {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'number') return String(value);
  if (!Number.isFinite(value) || Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

const columnsOf = (rows) => [...new Set(rows.flatMap((row) => Object.keys(row)))];

/** A result for people, in a terminal. */
export function printTable({ title, conditions, rows, findings }) {
  console.log(`${title}\n`);
  for (const description of Object.values(conditions.descriptions)) console.log(`  ${description}`);
  const columns = columnsOf(rows);
  const lines = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  console.log('');
  for (const line of lines) {
    console.log(line.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join('  '));
  }
  console.log('');
  for (const finding of findings) console.log(findingLine(finding));
}

/**
 * What was asked, what came out, and whether that reaches what we set ourselves. `best` is the same by the best times
 * instead of medians: what neighbours on the machine disturb least.
 */
export function findingLine({ what, value, unit = '', best, wanted, met }) {
  const remarks = [
    ...(best === undefined ? [] : [`by best times ${cell(best)}`]),
    ...(wanted === undefined ? [] : [`wanted: ${wanted}`, met ? 'reached' : 'NOT reached']),
  ];
  return `${what}: ${cell(value)}${unit}${remarks.length === 0 ? '' : ` (${remarks.join('; ')})`}`;
}

/** A result in Markdown. */
export function markdown({ title, conditions, rows, findings }) {
  const columns = columnsOf(rows);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    `## ${title}`,
    '',
    ...Object.values(conditions.descriptions).map((description) => `- ${description}`),
    '',
    line(columns),
    line(columns.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...rows.map((row) => line(columns.map((column) => cell(row[column])))),
    '',
    ...findings.map((finding) => `- ${findingLine(finding)}`),
    '',
  ].join('\n');
}
