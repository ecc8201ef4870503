/** A question that only we are asked. */
import { parseArgs } from 'node:util';
import { printTable } from './table.js';

/**
 * @param {string} name
 * @param {string} title
 * @param {(quick: boolean) => Promise<{ descriptions: Record<string, string>, rows: object[], scores: object[] }>} measure
 */
export async function solo(name, title, measure) {
  const { values } = parseArgs({ options: { quick: { type: 'boolean' }, json: { type: 'boolean' } } });
  const quick = values.quick === true;
  const { descriptions, rows, scores } = await measure(quick);
  const conditions = { quick, node: process.version, descriptions, disturbed: [] };
  const result = { question: name, title, conditions, rows, scores };
  if (values.json === true) console.log(JSON.stringify(result));
  else printTable(result);
}
