import { mkdir, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoredFormula } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { writeFileAtomically } from '../formats/durable.js';
import { underRule } from '../formats/file-system.js';
import { decodeJson, encodeJson } from '../formats/json-values.js';
import { checkSettings, type Settings } from './settings.js';

/** What run.json holds: everything of ours that Hugging Face's files have no place for. */
export interface RunRecord {
  readonly formatVersion: 1;
  readonly settings: Settings;
  /** The formula of the feed-forward block: a custom one works where its source is unknown. */
  readonly feedForward: StoredFormula;
  readonly versions: Readonly<Record<string, string>>;
}

/** The files of a run, by what they hold. */
export const runFiles = {
  record: 'run.json',
  config: 'config.json',
  generation: 'generation_config.json',
  weights: 'model.safetensors',
  metrics: 'metrics.jsonl',
  training: join('tokens', 'training.bin'),
  validation: join('tokens', 'validation.bin'),
} as const;

/** What a run writes beside its record, at the top of its folder. */
const written: readonly string[] = [
  'tokens',
  'checkpoints',
  runFiles.config,
  runFiles.generation,
  runFiles.weights,
  'tokenizer.json',
];

/**
 * Makes an empty folder for a new run; without a name, the next free `runs/NAME-N`.
 * @throws SluiceError `checkpoint` for one that holds a run or files of its names, `filesystem` for one that cannot be made.
 */
export async function createRunFolder(out: string | undefined, name: string): Promise<string> {
  if (out === undefined) return underRule('runs must be a folder that can be written', () => nextFree(name));
  const taken = await underRule(`${out} must be a folder that can be written`, async () => {
    await mkdir(out, { recursive: true });
    return readdir(out);
  });
  if (taken.includes(runFiles.record)) {
    throw new SluiceError('checkpoint', {
      rule: 'a new run goes into a folder without one',
      received: out,
      remedy: `Continue it with --resume ${out}, or choose another --out.`,
    });
  }
  // What a run that was killed at its start left behind is ours, and its lock says so.
  const foreign = taken.find((name) => written.includes(name));
  if (foreign !== undefined && !taken.some((name) => name.startsWith('.lock-'))) {
    throw new SluiceError('checkpoint', {
      rule: `a new run does not write over ${foreign}`,
      received: out,
      remedy: 'Choose another --out: nothing in this one is touched.',
    });
  }
  return out;
}

/** Takes back what was made for a run that did not start. The folder itself goes if nothing else is in it. */
export async function discardRunFolder(folder: string): Promise<void> {
  await rm(join(folder, 'tokens'), { recursive: true, force: true });
  await rmdir(folder).catch(() => undefined);
}

async function nextFree(name: string): Promise<string> {
  await mkdir('runs', { recursive: true });
  for (let number = 1; ; number++) {
    const folder = join('runs', `${name}-${number}`);
    try {
      await mkdir(folder);
      return folder;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  }
}

export async function writeRecord(folder: string, record: RunRecord): Promise<void> {
  await writeFileAtomically(join(folder, runFiles.record), `${encodeJson(record, 2)}\n`);
}

/** @throws SluiceError `checkpoint` for a folder that holds no run, or one of a newer format. */
export async function readRecord(folder: string): Promise<RunRecord> {
  const record = (await readJson(folder, runFiles.record)) as Partial<RunRecord>;
  if (record.formatVersion !== 1 || record.settings === undefined || record.feedForward === undefined) {
    throw new SluiceError('checkpoint', {
      rule: `${join(folder, runFiles.record)} is a run of format version 1`,
      received: record.formatVersion,
      remedy: 'It may be of a newer Sluice: update, or train anew.',
    });
  }
  checkSettings(record.settings, join(folder, runFiles.record));
  return record as RunRecord;
}

/** @throws SluiceError `checkpoint` for a file that is missing or no JSON. */
export async function readJson(folder: string, file: string): Promise<Record<string, unknown>> {
  const path = join(folder, file);
  try {
    return decodeJson(await readFile(path, 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    const exists = await stat(folder).then(
      () => true,
      () => false,
    );
    throw new SluiceError('checkpoint', {
      rule: exists ? `a run folder holds ${file}` : 'a run is a folder',
      received: folder,
      remedy: 'Name the folder that sluice train made: see runs/.',
      cause,
    });
  }
}
