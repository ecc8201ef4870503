import { columnOf } from '../data/table.js';
import { readUtf8 } from './read-table.js';
import { readTexts } from './tasks/example-data.js';

/** The texts of a file: a column of a table or of lines of JSON, else a text to each line that is not empty. */
export async function textsOf(path: string, column: string): Promise<string[]> {
  if (!/\.(csv|tsv|jsonl)$/i.test(path)) {
    return (await readUtf8(path)).split(/\r?\n/).filter((line) => line.trim() !== '');
  }
  const table = await readTexts(path, [column], 1);
  const at = columnOf(table, column);
  return table.rows.map(({ cells }) => cells[at] ?? '');
}
