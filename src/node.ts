/** `sluice/node`: runs, text, tokens and weights in files. */
export { loadTokenizer, saveTokenizer } from './data/load-tokenizer.js';
export { splitCorpus } from './data/split-corpus.js';
export { type Corpus, openCorpus, openFiles } from './data/text.js';
export { TokenFile, type TokenFileDescription, type TokenizeOptions, tokenizeToFile } from './data/token-file.js';
export { JsonLinesWriter } from './formats/json-lines.js';
export { SafetensorsFile, type TensorReader } from './formats/safetensors-file.js';
export { openSafetensors } from './formats/safetensors-sharded.js';
export { weightEntries } from './formats/weights.js';
export { complete as completeSettings } from './runs/complete.js';
export { type PulledModel, type PullOptions, pull } from './runs/hub/pull.js';
export { type ExampleNetwork, openModel } from './runs/open-model.js';
export { type OpenModel, type OpenRun, open, openRun } from './runs/open-run.js';
export type { Plan } from './runs/plan.js';
export { type PresetName, presetNamed, presetNames } from './runs/presets.js';
export type { ProfileReport, ProfileRow } from './runs/profile-report.js';
export type { RunRecord } from './runs/run-folder.js';
export { type SaveModelOptions, saveModel } from './runs/save-model.js';
export { checkSettings, type PartialSettings, type Settings } from './runs/settings.js';
export { type ResumeOptions, resumeRun, type StartOptions, startRun } from './runs/start-run.js';
export type { Judgement, TaskRun } from './runs/task.js';
export { taskNames } from './runs/tasks.js';
export type { ActiveRun, RunEvent } from './runs/train-run.js';
export {
  type CheckpointPart,
  jsonPart,
  type SaveCheckpointOptions,
  type SavedCheckpoint,
  saveCheckpoint,
  tensorsPart,
} from './training/checkpoints.js';
export { Checkpoint, type LatestCheckpoint, latestCheckpoint, listCheckpoints } from './training/checkpoints-read.js';
