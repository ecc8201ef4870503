import type { Formula } from '../activations/kinds.js';
import type { Device } from '../devices/device.js';
import type { Layer } from '../layers/layer.js';
import type { BatchLoss } from '../training/inspection/inspect.js';
import type { Learner } from '../training/learner.js';
import type { ClassScores } from '../training/metrics.js';
import type { Baselines } from './baselines.js';
import type { Preparation } from './prepare.js';
import type { RunRecord } from './run-folder.js';
import type { PartialSettings, SettingName, Settings } from './settings.js';

/** How good a model is on data that it did not learn from. */
export interface Judgement {
  readonly loss: number;
  /** What a line of metrics.jsonl has beside the loss. */
  readonly logged: Readonly<Record<string, number>>;
  /** All that a script may want to know. */
  readonly details: Readonly<Record<string, unknown>>;
  /** For a person, in a line. */
  readonly summary: string;
}

/** What a run will cost, said before it starts. */
export interface Costs {
  readonly parameters: number;
  readonly memoryBytes: number;
  readonly estimatedSecondsPerStep: number;
  readonly tokensPerStep?: number;
}

export interface MeasureOptions {
  /** Of a judgement while training goes on: about as many tokens; all by default. */
  readonly maximumTokens?: number;
  readonly signal?: AbortSignal;
}

/** Names and values for a person. */
export type Facts = readonly (readonly [name: string, value: string])[];

/** A run as its task has it: what is trained, and how that is told of, judged and saved. */
export interface TaskRun {
  readonly trainer: Learner;
  readonly costs: Costs;
  /** Steps in a pass over the data. */
  readonly stepsPerEpoch: number;
  /** What run.json keeps as text: the block's formula, or the activation. */
  readonly formula: Formula;
  /** The model and its data. */
  readonly facts: Facts;
  /** What a step learns from, and by which rule. */
  readonly method: string;
  /** Commands to try next, without `npx sluice`. */
  readonly next: readonly string[];
  measure(options: MeasureOptions): Promise<Judgement>;
  /** Text from a model that writes. */
  sample?(): Promise<string>;
  /** What simpler models come to, where that is known how to measure. */
  baselines?(): Promise<Baselines | undefined>;
  /** @throws SluiceError `data` that says why nothing could be learned, where that is so. */
  conclude?(judgement: Judgement): void;
  /** Writes the model into the run's folder. */
  save(): Promise<void>;
  close(): Promise<void>;
}

/** Something that was done, or found, on the way to a run. */
export type PrepareEvent =
  | ({ readonly kind: 'preparing' } & Preparation)
  | { readonly kind: 'note'; readonly message: string };

/** Data that was opened and can be learned from, as far as can be known before anything is made. */
export interface Draft {
  /** What of the data a person should know. */
  readonly note: string | undefined;
  /** The first part of a new folder's name. */
  readonly name: string;
  /** Makes what takes long and is not in the folder. @throws SluiceError `memory` for a run that cannot fit. */
  prepare(device: Device, signal?: AbortSignal): AsyncGenerator<PrepareEvent, Prepared>;
}

/** Makes the run's data in its folder, and what is to be trained. */
export type Prepared = (folder: string, signal?: AbortSignal) => AsyncGenerator<PrepareEvent, TaskRun>;

/** A run whose folder is there. */
export interface Folder {
  readonly folder: string;
  readonly record: RunRecord;
}

export interface JudgeOptions {
  /** What to judge by; what the run held out by default. */
  readonly data?: string | undefined;
  /** Examples or sequences at a time. */
  readonly batch: number;
  readonly signal?: AbortSignal;
  /** Hears what a person should know of the data. */
  readonly tell?: (note: string) => void;
}

/** Which class a model of two inputs takes each point of a grid for, and the examples over it. */
export interface Boundary {
  readonly inputs: readonly [x: string, y: string];
  readonly classes: readonly string[];
  /** The grid's first and last x and y. */
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
  /** Points along an axis. */
  readonly size: number;
  /** [classes][size * size], row by row from the first y: by how much a class is ahead of the best other one. */
  readonly leads: readonly Float64Array[];
  readonly points: readonly { readonly x: number; readonly y: number; readonly label: number }[];
}

/** A series, and what was forecast of it. Rows count from 1. */
export interface Forecast {
  readonly name: string;
  /** Of the first true value. */
  readonly row: number;
  readonly truth: Float64Array;
  readonly forecasts: readonly { readonly row: number; readonly values: Float64Array }[];
}

export interface PredictOptions extends Pick<JudgeOptions, 'batch' | 'signal'> {
  /** What to predict of; what a series goes on from is the run's own by default. */
  readonly data?: string | undefined;
  /** Of a model of texts: the texts, in place of a file. */
  readonly texts: readonly string[];
}

/** What a model says of examples whose target is not known. */
export interface Predicted {
  /** The column that is predicted. */
  readonly target: string;
  readonly predictions: readonly OnePrediction[];
}

export interface EmbedOptions extends Pick<JudgeOptions, 'batch' | 'signal'> {
  readonly texts: readonly string[];
  /** What of the tokens' vectors stands for a text: their mean, or that of the first one. */
  readonly pooling: 'mean' | 'cls';
  /** Whether vectors get the length 1, so that their product is the cosine of their angle. */
  readonly normalize: boolean;
}

/** A vector for each text. */
export interface Embedded {
  readonly dim: number;
  readonly vectors: readonly Float32Array[];
  /** Texts of which only the first tokens were read. */
  readonly cut: number;
}

export interface OnePrediction {
  /** A line of the file, a row behind its last one, or a text. */
  readonly of: string | number;
  readonly value: string | number;
  /** Of a class. */
  readonly probability?: number;
}

/** A trained model that can be judged, and asked. */
export interface Judge {
  judge(options: JudgeOptions): Promise<Judged>;
  /** Of a model that says something of an example. @throws SluiceError `data` with file and line. */
  predict?(options: PredictOptions): Promise<Predicted>;
  /** Of an encoder. */
  embed?(options: EmbedOptions): Promise<Embedded>;
  close(): Promise<void>;
}

export interface SubjectOptions extends Pick<JudgeOptions, 'data' | 'tell'> {
  /** Examples or sequences at a time. */
  readonly batch: number;
  /** How many batches at most. */
  readonly batches: number;
  /** The weights that the run began with, instead of those that it came to. */
  readonly atInit: boolean;
}

/** A run's model, and what it is looked into by. */
export interface Subject {
  readonly model: Layer;
  /** For a person: the batches. */
  readonly facts: Facts;
  readonly batches: number;
  lossOf(batch: number): BatchLoss | Promise<BatchLoss>;
  /**
   * Of a model that answers at each step, the loss of the last one alone: how far back through time its gradient comes
   * cannot be told from the losses of all, of which each step has its own.
   */
  lastLossOf?(batch: number): BatchLoss | Promise<BatchLoss>;
  close(): Promise<void>;
}

/** What was found, for a person, for a script and for a picture. */
export interface Judged {
  readonly facts: Facts;
  readonly details: Readonly<Record<string, unknown>>;
  /** Of classes. */
  readonly scores?: ClassScores;
  /** Of values: those predicted and those that are. */
  readonly values?: {
    readonly name: string;
    readonly predicted: ArrayLike<number>;
    readonly actual: ArrayLike<number>;
  };
  /** Of a series. */
  readonly forecast?: Forecast;
  /** Of classes told from two inputs. */
  readonly boundary?: Boundary;
}

/**
 * What is learned, in one object: its settings, its data, its models, its loss and its metrics. The run's folder, the
 * loop, the checkpoints and the commands know a task by this alone.
 */
export interface Task {
  /** As --task and run.json have it. */
  readonly name: string;
  readonly description: string;
  /** The settings that it, and its model type, have a use for; others are refused. */
  settings(settings: Pick<Settings, 'model' | 'optimizer'>): readonly SettingName[];
  /** Fills in what was left open. @throws SluiceError `argument` for settings that contradict each other. */
  complete(given: PartialSettings): Settings;
  /** Refuses all that can be before anything is made. */
  open(settings: Settings): Promise<Draft>;
  /** What a run's folder has, to go on with after `done` steps. */
  resume(
    run: Folder & { readonly device: Device; readonly settings: Settings; readonly done: number },
  ): Promise<TaskRun>;
  judge(run: Folder & { readonly device: Device }): Promise<Judge>;
  inspect(run: Folder & { readonly device: Device }, options: SubjectOptions): Promise<Subject>;
}
