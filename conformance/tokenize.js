/**
 * Answers lines by Sluice's tokenizer of a folder: `node conformance/tokenize.js FOLDER LINES.json` prints, for each line, its ids,
 * what they decode to (whole, without special tokens, and streamed id by id), and the ids of the line framed by the
 * special tokens of its tokenizer, alone and with the line before it as its pair.
 */
import { readFileSync } from 'node:fs';
import { loadTokenizer } from '../dist/data/load-tokenizer.js';

const [folder, path] = process.argv.slice(2);
const tokenizer = await loadTokenizer(folder);
const lines = JSON.parse(readFileSync(path, 'utf8'));
const ids = lines.map((line) => [...tokenizer.encode(line)]);
const streamed = (list) => {
  const stream = tokenizer.streamDecoder();
  return list.map((id) => stream.push(id)).join('') + stream.flush();
};
const framed = lines.map((line) => tokenizer.frame(line));
const pairs = lines.map((line, i) => tokenizer.frame(line, lines.at(i - 1)));
const answer = {
  ids,
  texts: ids.map((list) => tokenizer.decode(list)),
  'texts without specials': ids.map((list) => tokenizer.decode(list, { skipSpecials: true })),
  'streamed texts': ids.map(streamed),
  'ids with specials': framed.map((one) => [...one.ids]),
  'ids of pairs': pairs.map((one) => [...one.ids]),
  'types of pairs': pairs.map((one) => [...one.types]),
};
process.stdout.write(JSON.stringify(answer));
