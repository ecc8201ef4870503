import { join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';
import { tooShortForContext } from '../data/batches.js';
import type { BpeTrainerProgress } from '../data/bpe-trainer.js';
import { mobyDick } from '../data/moby-dick.js';
import { splitCorpus } from '../data/split-corpus.js';
import { type Corpus, openCorpus } from '../data/text.js';
import { TokenFile, tokenizeToFile } from '../data/token-file.js';
import { type TokenSource, tokenizeInMemory } from '../data/token-source.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { parseTokenizerSpec, trainTokenizer } from '../data/tokenizer-spec.js';
import { exists } from '../formats/file-system.js';
import { runFiles } from './run-folder.js';
import type { Settings } from './settings.js';

export interface Preparation {
  /** What is being done, and the share of it that is done. */
  readonly stage: 'tokenizer' | 'training text' | 'validation text';
  readonly share: number;
}

export interface Texts {
  readonly corpus: Corpus;
  readonly training: Corpus;
  readonly validation: Corpus;
  /** What was read of a folder and what was not. */
  readonly note: string | undefined;
}

/** Opens the text and parts what is trained on from what is held out. */
export async function openTexts({ data, validation: share }: Pick<Settings, 'data' | 'validation'>): Promise<Texts> {
  const { corpus, note } = await openNamed(data);
  return { corpus, note, ...(await splitCorpus(corpus, share)) };
}

/** The text that a name stands for, with a line on what of a folder was read and what was not. */
async function openNamed(data: string): Promise<Pick<Texts, 'corpus' | 'note'>> {
  if (data === 'demo') return { corpus: await mobyDick(), note: undefined };
  const corpus = await openCorpus(data);
  const { format, segments, leftOut } = corpus;
  if (format !== 'folder') return { corpus, note: undefined };
  const read = `read ${plural(segments.length, '.txt file')} of ${data}`;
  const names = [...leftOut.slice(0, 4), ...(leftOut.length > 4 ? ['...'] : [])].join(', ');
  const left = `left out ${leftOut.length}, not being .txt files with text in them: ${names}`;
  return { corpus, note: leftOut.length === 0 ? read : `${read}; ${left}` };
}

/**
 * Holds that a text to train on may have a window of context + 1 tokens: a byte gives one token at most, and so does the
 * end of a document. @throws SluiceError `data`.
 */
export function requireLength({ bytes, documents, segments }: Corpus, context: number): void {
  const most = bytes + (documents ? segments.length : 0);
  if (most <= context) throw tooShortForContext(context, most, 'at most ');
}

/** The tokenizer asked for. A character tokenizer sees all of the text, so that validation has no unknown character. */
export async function makeTokenizer(
  texts: Texts,
  settings: Settings,
  onProgress: (progress: Preparation) => void,
  signal?: AbortSignal,
): Promise<Tokenizer> {
  const spec = parseTokenizerSpec(settings.tokenizer);
  const source = spec.kind === 'char' ? texts.corpus : texts.training;
  return trainTokenizer(spec, source.pieces(), {
    documents: texts.corpus.documents,
    onProgress: (progress) => onProgress({ stage: 'tokenizer', share: shareOf(progress) }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** Counting the words is quick beside merging them. */
const shareOf = ({ stage, done, total }: BpeTrainerProgress): number =>
  stage === 'merging' && total !== undefined && total > 0 ? done / total : 0;

/** The two texts of a run, to be closed. */
export interface TokenFiles {
  readonly training: TokenFile;
  readonly validation: TokenFile;
}

/** Both files, or none: where the second cannot be opened the first is closed. */
async function openBoth(
  openTraining: Promise<TokenFile>,
  openValidation: () => Promise<TokenFile>,
): Promise<TokenFiles> {
  const training = await openTraining;
  try {
    return { training, validation: await openValidation() };
  } catch (error) {
    await training.close();
    throw error;
  }
}

/** The token files of a run that was started before. */
export const openTokens = (folder: string): Promise<TokenFiles> =>
  openBoth(TokenFile.open(join(folder, runFiles.training)), () => TokenFile.open(join(folder, runFiles.validation)));

export async function closeTokens({ training, validation }: TokenFiles): Promise<void> {
  await training.close();
  await validation.close();
}

/** Both texts as token files in the run folder; made once, reused when it is resumed. */
export async function tokenize(
  folder: string,
  texts: Texts,
  tokenizer: Tokenizer,
  onProgress: (progress: Preparation) => void,
  signal?: AbortSignal,
): Promise<TokenFiles> {
  const part = async (stage: Preparation['stage'], corpus: Corpus, path: string): Promise<TokenFile> => {
    const { file } = await tokenizeToFile({
      corpus,
      tokenizer,
      path: join(folder, path),
      onProgress: ({ bytes }) => onProgress({ stage, share: bytes / corpus.bytes }),
      ...(signal === undefined ? {} : { signal }),
    });
    return file;
  };
  return openBoth(part('training text', texts.training, runFiles.training), () =>
    part('validation text', texts.validation, runFiles.validation),
  );
}

/**
 * A text as a run's model sees it: a file or folder, or what the run held out; to be closed by `closeText`.
 * @param tell hears what was read of a folder.
 */
export async function openRunText(
  folder: string,
  tokenizer: Tokenizer,
  data?: string,
  tell: (note: string) => void = () => {},
): Promise<TokenSource> {
  if (data === undefined) {
    const path = join(folder, runFiles.validation);
    await requireHeldOut(folder, path);
    return TokenFile.open(path);
  }
  const { corpus, note } = await openNamed(data);
  if (note !== undefined) tell(note);
  return tokenizeInMemory(tokenizer, corpus.pieces());
}

async function requireHeldOut(folder: string, path: string): Promise<void> {
  const isRun = await exists(join(folder, runFiles.record));
  if (isRun || (await exists(path))) return;
  throw new SluiceError('checkpoint', {
    rule: 'a model that was not trained here is judged on a text: it held none out',
    received: 'no --data',
    remedy: 'Give --data my.txt.',
  });
}

export async function closeText(source: TokenSource): Promise<void> {
  if (source instanceof TokenFile) await source.close();
}
