import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import * as v from 'valibot';
import type { StoredFormula } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import type { TokenizerFiles } from '../data/tokenizer.js';
import { writeFileAtomically } from '../formats/durable.js';
import { asFileSystemError, exists, systemErrorCode, underRule } from '../formats/file-system.js';
import { decodeJson, encodeJson } from '../formats/json-values.js';
import { isLockName } from './lock.js';
import { defaults, issueRule, type PartialSettings, type Settings, settingsSchema } from './settings.js';

/** What run.json holds: everything of ours that Hugging Face's files have no place for. */
export interface RunRecord {
  readonly formatVersion: 1;
  readonly settings: Settings;
  /** The formula of the feed-forward block, or the activation: a custom one works where its source is unknown. */
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
  encoding: 'dataset.json',
  trainingExamples: join('examples', 'training.safetensors'),
  validationExamples: join('examples', 'validation.safetensors'),
} as const;

const tokenizerFiles = { 'tokenizer.json': true, 'tokenizer_config.json': true } satisfies Record<
  keyof TokenizerFiles,
  true
>;

/** What a run makes at the top of its folder. */
const written: readonly string[] = [
  ...new Set([...Object.values(runFiles).map((path) => path.split(sep)[0] ?? path), 'checkpoints']),
  ...Object.keys(tokenizerFiles),
];

/**
 * Holds that a new run can go into a folder, before anything is made; without a name, into `runs`.
 * @throws SluiceError `checkpoint` for one that holds a run or files of its names, `filesystem` for one that cannot be made.
 */
export async function checkRunFolder(out?: string): Promise<void> {
  const folder = out ?? 'runs';
  await underRule(writable(folder), () => requireMakeable(resolve(folder)));
  if (out !== undefined && (await exists(out))) await requireFree(out);
}

/** The nearest folder that exists can be written into. */
async function requireMakeable(path: string): Promise<void> {
  try {
    await readdir(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    return requireMakeable(dirname(path));
  }
  await access(path, constants.W_OK);
}

const writable = (folder: string): string => `${folder} must be a folder that can be written`;

/**
 * Holds that a folder has neither a run nor files that one would write over, unless a run's lock is there: what was
 * begun under it and ended may be written over.
 */
export async function requireFree(out: string): Promise<void> {
  const taken = await underRule(writable(out), () => readdir(out));
  if (taken.includes(runFiles.record)) {
    throw new SluiceError('checkpoint', {
      rule: 'a new run goes into a folder without one',
      received: out,
      remedy: `Continue it with --resume ${out}, or choose another --out.`,
    });
  }
  // What a run that was killed at its start left behind is ours, and its lock says so.
  const foreign = taken.find((name) => written.includes(name));
  if (foreign !== undefined && !taken.some(isLockName)) {
    throw new SluiceError('checkpoint', {
      rule: `a new run does not write over ${foreign}`,
      received: out,
      remedy: 'Choose another --out: nothing in this one is touched.',
    });
  }
}

/**
 * Makes an empty folder for a new run; without a name, the next free `runs/NAME-N`.
 * @throws SluiceError as `checkRunFolder`.
 */
export async function createRunFolder(out: string | undefined, name: string): Promise<string> {
  if (out === undefined) return underRule(writable('runs'), () => nextFree(name));
  await underRule(writable(out), () => mkdir(out, { recursive: true }));
  await requireFree(out);
  return out;
}

/** Takes back what was made for a run that did not start. The caller holds the run's lock. */
export async function discardRunFiles(folder: string): Promise<void> {
  for (const name of written) await rm(join(folder, name), { recursive: true, force: true });
}

/** Takes back a folder that nothing is in. */
export async function discardRunFolder(folder: string): Promise<void> {
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
      if (systemErrorCode(error) !== 'EEXIST') throw error;
    }
  }
}

/** @param record its settings are those that the run's task has a use for: the others read back as their defaults */
export async function writeRecord(
  folder: string,
  record: Omit<RunRecord, 'settings'> & { readonly settings: PartialSettings },
): Promise<void> {
  await writeFileAtomically(join(folder, runFiles.record), `${encodeJson(record, 2)}\n`);
}

/** The models of text that have a use for settings without a default: the run.json of another lacks them. */
const users: Readonly<Record<'hidden' | 'kvHeads', readonly unknown[]>> = {
  hidden: ['llama', 'arcee', 'gpt2', 'qwen2', 'gemma'],
  kvHeads: ['llama', 'arcee', 'qwen2', 'gemma'],
};

const unusedBy = ({ task = defaults.task, model = defaults.model }: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(users).flatMap(([name, models]) =>
      task === defaults.task && models.includes(model) ? [] : [[name, 1]],
    ),
  );

/** A formula as text, with its parameters. */
export const storedFormula = v.object({
  kind: v.picklist(['activation', 'gate', 'row'], 'is activation, gate or row'),
  name: v.string(),
  expression: v.string(),
  parameters: v.record(v.string(), v.object({ value: v.pipe(v.number(), v.finite()), learned: v.boolean() })),
  source: v.string(),
});

const recordSchema = v.object({
  formatVersion: v.literal(1),
  // A run of an older version lacks what has been added since.
  settings: v.pipe(
    v.record(v.string(), v.unknown()),
    v.transform((settings) => ({ ...defaults, ...unusedBy(settings), ...settings })),
    settingsSchema,
  ),
  feedForward: storedFormula,
  versions: v.record(v.string(), v.string()),
});

/** @throws SluiceError `checkpoint` that names the file: for a folder without a run, a foreign or newer record, one with a value that is none. */
export async function readRecord(folder: string): Promise<RunRecord> {
  const path = join(folder, runFiles.record);
  const record = await readJson(folder, runFiles.record);
  const { formatVersion } = record;
  if (formatVersion !== 1) {
    throw new SluiceError('checkpoint', {
      rule: `${path} is the record of a run of format version 1`,
      received: formatVersion,
      remedy:
        typeof formatVersion === 'number'
          ? 'A newer Sluice wrote it: update Sluice, or train anew.'
          : 'It is of another program: name the folder that sluice train made.',
    });
  }
  const result = v.safeParse(recordSchema, record);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new SluiceError('checkpoint', {
    rule: `in ${path} ${issueRule(issue)}`,
    received: issue.input,
    remedy: 'Restore the file as Sluice wrote it, or train anew.',
  });
}

/** @throws SluiceError `checkpoint` that names the file, for one that is missing or holds no JSON object. */
export async function readJson(folder: string, file: string): Promise<Record<string, unknown>> {
  const path = join(folder, file);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (!/^(ENOENT|ENOTDIR)$/.test(systemErrorCode(cause) ?? '')) {
      throw asFileSystemError(cause, `${path} must be readable`);
    }
    throw new SluiceError('checkpoint', {
      rule: (await exists(folder)) ? `a run folder holds ${file}` : 'a run is a folder',
      received: folder,
      remedy: 'Name the folder that sluice train made: see runs/.',
      cause,
    });
  }
  let flaw: unknown;
  try {
    const value = decodeJson(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch (cause) {
    flaw = cause;
  }
  const remedy = 'Restore the file as Sluice wrote it, or train anew.';
  throw new SluiceError('checkpoint', { rule: `${path} holds a JSON object`, received: text, remedy, cause: flaw });
}
