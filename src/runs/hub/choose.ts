import { SluiceError } from '../../base/errors.js';
import { didYouMean } from '../../base/nearest.js';
import type { RemoteFile } from './listing.js';

/** Settings and tokenizers, of the model itself and of the parts of a sentence encoder (`1_Pooling`). */
const settings = /^(\d+_\w+\/)?[^/]*(\.json|\.jinja|merges\.txt|vocab\.txt)$/;
/** Weights of the model, whole or in shards, and of parts of a sentence encoder. */
const whole = 'model.safetensors';
const shard = /^model-\d+-of-\d+\.safetensors$/;
const part = /^\d+_\w+\/model\.safetensors$/;

/**
 * The files that opening a model takes: settings, tokenizer and safetensors; not the same weights in other formats.
 * @throws SluiceError `data` for a model without safetensors.
 */
export function usualFiles(name: string, files: readonly RemoteFile[]): RemoteFile[] {
  const isWhole = files.some(({ path }) => path === whole);
  const weights = files.filter(({ path }) => path === whole || part.test(path) || (!isWhole && shard.test(path)));
  if (!weights.some(({ path }) => path === whole || shard.test(path))) {
    const others = files.map(({ path }) => path).filter((path) => /\.(bin|pt|pth|h5|msgpack|gguf|onnx)$/.test(path));
    throw new SluiceError('data', {
      rule: `a model has model.safetensors, or shards of it: ${name} has none`,
      received: others.length > 0 ? others : files.map(({ path }) => path),
      remedy: 'Choose a model with safetensors; --files PATTERN fetches files as they are.',
    });
  }
  return [...files.filter(({ path }) => settings.test(path)), ...weights];
}

/**
 * The files whose paths fit one of some patterns, in which `*` stands for any characters.
 * @throws SluiceError `name` for a pattern that fits nothing.
 */
export function filesLike(patterns: readonly string[], files: readonly RemoteFile[]): RemoteFile[] {
  const paths = files.map(({ path }) => path);
  const chosen = new Set<string>();
  for (const pattern of patterns) {
    const fitting = paths.filter((path) => fits(pattern, path));
    for (const path of fitting) chosen.add(path);
    if (fitting.length > 0) continue;
    const remedy = didYouMean(pattern, paths, `It has: ${paths.slice(0, 12).join(', ')}.`);
    throw new SluiceError('name', { rule: 'a pattern fits a file of the model', received: pattern, remedy });
  }
  return files.filter(({ path }) => chosen.has(path));
}

/** Without a regular expression, which a pattern could make slow. */
function fits(pattern: string, path: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return path === pattern;
  if (!path.startsWith(head) || !path.endsWith(tail) || path.length < head.length + tail.length) return false;
  let at = head.length;
  const end = path.length - tail.length;
  return rest.every((piece) => {
    const found = path.indexOf(piece, at);
    at = found + piece.length;
    return found >= 0 && at <= end;
  });
}
