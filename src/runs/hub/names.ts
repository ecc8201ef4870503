import { SluiceError } from '../../base/errors.js';

/** A model on the hub, at one of its revisions. */
export interface ModelName {
  /** `gpt2` or `owner/model`. */
  readonly name: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

const part = /^[A-Za-z0-9_](?:[\w.-]{0,94}\w)?$/;
const revisionGrammar = /^[A-Za-z0-9_][\w.+-]*(?:\/[A-Za-z0-9_][\w.+-]*)*$/;

/** Whether a text can be the name of a model on the hub, with or without its owner and a revision. */
export const isModelName = (text: string): boolean => parse(text) !== undefined;

function parse(text: string): ModelName | undefined {
  const [name = '', revision = 'main', ...more] = text.split('@');
  const parts = name.split('/');
  const isName =
    parts.length <= 2 && parts.every((one) => part.test(one) && !/\.\.|--/.test(one)) && !/\.git$/.test(name);
  const isRevision = revisionGrammar.test(revision) && !revision.includes('..') && revision.length <= 200;
  return isName && isRevision && more.length === 0 ? { name, revision } : undefined;
}

/**
 * Reads `model`, `owner/model` or `owner/model@revision`; the revision is `main` by default.
 * @throws SluiceError `argument` for what no model on the hub is called.
 */
export function modelName(text: string, revision?: string): ModelName {
  const found = parse(revision === undefined ? text : `${text}@${revision}`);
  if (found !== undefined) return found;
  throw new SluiceError('argument', {
    rule: 'a model is named owner/model, and a revision is a branch, a tag or a commit',
    received: revision === undefined ? text : `${text} at ${revision}`,
    remedy: 'Copy the name from the page of the model, for example HuggingFaceTB/SmolLM2-135M.',
  });
}

/** Whether a path that a server names stays within the folder that it is put into, on every system. */
export function isPlainPath(path: string): boolean {
  const parts = path.split('/');
  const control = [...path].some((character) => character < ' ' || character === '\x7f');
  return !control && path.length <= 500 && !/[\\:]/.test(path) && parts.every((one) => !/^(\.{0,2}|.*[. ])$/.test(one));
}
