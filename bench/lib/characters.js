/** Moby Dick in characters, one text: nine tenths to train on, the end held out. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let made;

/** The ids of both parts. */
export async function characters() {
  made ??= make();
  return made;
}

async function make() {
  const { mobyDick } = await import('../../dist/data/moby-dick.js');
  let text = '';
  for await (const piece of (await mobyDick()).pieces()) text += piece.text;
  const letters = [...new Set(text)].sort();
  const ids = new Map(letters.map((letter, id) => [letter, id]));
  const tokens = Uint16Array.from(text, (letter) => ids.get(letter));
  const cut = Math.floor(0.9 * tokens.length);
  return { vocabulary: letters.length, training: tokens.slice(0, cut), validation: tokens.slice(cut) };
}

/** Writes both parts, uint16, to files of a folder that goes when the process ends. */
export async function characterFiles() {
  const { training, validation } = await characters();
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const files = { trainFile: join(folder, 'training'), validationFile: join(folder, 'validation') };
  writeFileSync(files.trainFile, training);
  writeFileSync(files.validationFile, validation);
  return files;
}
