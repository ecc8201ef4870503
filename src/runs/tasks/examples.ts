import { join } from 'node:path';
import { readFormula } from '../../activations/catalogue.js';
import type { Activation } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import { didYouMean } from '../../base/nearest.js';
import { plural } from '../../base/plural.js';
import type { RandomKey } from '../../base/random.js';
import { count, counted } from '../../base/units.js';
import type { Examples } from '../../data/examples.js';
import type { TableEncoding } from '../../data/table-encoding.js';
import type { Device } from '../../devices/device.js';
import { writeFileAtomically } from '../../formats/durable.js';
import { encodeJson } from '../../formats/json-values.js';
import { judgeExamples } from '../../training/judge-examples.js';
import type { Learner } from '../../training/learner.js';
import { saveWeights } from '../checkpointing.js';
import { completeOptimizer, isUsedBy } from '../optimizer-settings.js';
import { requireMemory } from '../plan.js';
import { stated } from '../presets.js';
import { type RunRecord, runFiles } from '../run-folder.js';
import { defaults, type PartialSettings, type SettingName, type Settings } from '../settings.js';
import type { Costs, Draft, Facts, Folder, Judgement, MeasureOptions, PrepareEvent, Task, TaskRun } from '../task.js';
import { type ExampleData, loadEncoding, loadExamples, type ReadData, saveData } from './example-data.js';
import { type JudgedModel, openJudge } from './example-judge.js';
import type { ExampleModel, ExampleModelType } from './example-model.js';
import { type ExampleModelName, exampleModels } from './example-models.js';
import { judgementOf, scored } from './example-scores.js';
import { openSubject } from './example-subject.js';

/** Where the examples of a task come from. */
export interface ExampleSource {
  readonly name: string;
  readonly description: string;
  /** The model types that learn from such examples; the first is the usual one. */
  readonly models: readonly [ExampleModelName, ...ExampleModelName[]];
  /** The settings that it has a use for beside those of every run of examples. */
  readonly settings: readonly SettingName[];
  /** What of a model type's defaults does not suit these examples. */
  readonly defaults: PartialSettings;
  /** Whether it reads --data, or makes its examples itself. */
  readonly isRead: boolean;
  read(settings: Settings): ReadData | Promise<ReadData>;
  /** Varies examples that are learned from, in a way that does not change what is to be said of them, or draws others. */
  vary?(examples: Examples, settings: Settings, key: RandomKey): Examples;
}

/** Examples judged at a time while training goes on. */
const judgedAtOnce = 1024;

const everyRun: readonly SettingName[] = [
  ...([
    'data',
    'task',
    'model',
    'steps',
    'epochs',
    'time',
    'lr',
    'minLr',
    'schedule',
    'evalEvery',
    'saveEvery',
  ] as const),
  ...(['keep', 'validation', 'seed', 'device', 'threads', 'deterministic'] as const),
];

/** To tell the class or the value of examples: a task of any source and any model of examples. */
export const exampleTask = (source: ExampleSource): Task => ({
  name: source.name,
  description: source.description,
  settings: ({ model, optimizer }) => {
    const all = [...everyRun, ...source.settings, ...typeNamed(source, model).settings];
    return all.filter((name) => isUsedBy(name, optimizer));
  },
  complete: (given) => completeExamples(source, given),
  open: (settings) => openDraft(source, settings),
  async resume({ folder, record, device, settings, done }) {
    const encoding = await loadEncoding(folder);
    const training = await loadExamples(folder, 'trainingExamples', encoding);
    const validation = await loadExamples(folder, 'validationExamples', encoding);
    const formula = formulaOf(record);
    const type = typeNamed(source, settings.model);
    return ExampleRun.make(
      { source, folder, device, settings, type, formula, data: { encoding, training, validation } },
      done,
    );
  },
  judge: async (run) => openJudge(await rebuilt(source, run)),
  inspect: async (run, options) => openSubject(await rebuilt(source, run), options),
});

/** The model of a run, with the weights that it began with. */
async function rebuilt(
  source: ExampleSource,
  { folder, record, device }: Folder & { readonly device: Device },
): Promise<JudgedModel> {
  const encoding = await loadEncoding(folder);
  const { settings } = record;
  const built = typeNamed(source, settings.model).build({ device, settings, formula: formulaOf(record), encoding });
  return { folder, device, encoding, source: settings.data, built };
}

function typeNamed({ name, models }: ExampleSource, model: string): ExampleModelType {
  const found = models.find((known) => known === model);
  if (found !== undefined) return exampleModels[found];
  throw new SluiceError('argument', {
    rule: `${name} is learned by ${models.join(' or ')}`,
    received: `--model ${model}`,
    remedy: didYouMean(model, models, `Leave it out for ${models[0]}.`),
  });
}

const formulaOf = ({ feedForward }: RunRecord): Activation => {
  const formula = readFormula(feedForward);
  if (formula.kind === 'activation') return formula as Activation;
  throw new SluiceError('checkpoint', {
    rule: 'run.json of a model of examples has an activation',
    received: formula.kind,
    remedy: 'Restore the file as Sluice wrote it, or train anew.',
  });
};

function completeExamples(source: ExampleSource, given: PartialSettings): Settings {
  const model = given.model ?? source.models[0];
  const type = typeNamed(source, model);
  const data = source.isRead ? given.data : source.name;
  if (data === undefined || (!source.isRead && given.data !== undefined)) {
    throw new SluiceError('argument', {
      rule: source.isRead ? `${source.name} is learned from a file` : `${source.name} has data of its own`,
      received: given.data === undefined ? 'no --data' : `--data ${given.data}`,
      remedy: source.isRead ? 'Give --data FILE.' : 'Leave it out, or use --task table.',
    });
  }
  // Of what says how long to train, what is given counts alone.
  const { steps = defaults.steps, ...usual } = { ...type.defaults, ...source.defaults, ...type.own };
  const settings = { ...defaults, validation: 0.2, ...stated(usual), steps, ...stated(given), model, data };
  const { hidden = type.usualHidden?.(settings) ?? 1, minLr = settings.lr / 10 } = settings;
  const complete = { ...settings, task: source.name, hidden, kvHeads: settings.heads, minLr };
  return type.settings.includes('optimizer') ? completeOptimizer(given, complete) : complete;
}

async function openDraft(source: ExampleSource, settings: Settings): Promise<Draft> {
  const type = typeNamed(source, settings.model);
  const formula = type.formulaOf(settings);
  const data = await source.read(settings);
  const notes = [data.note, type.warn?.(formula, settings)].filter((note) => note !== undefined);
  return {
    note: notes.length === 0 ? undefined : notes.join('\n'),
    name: `${source.name}-${settings.model}`,
    async *prepare(device) {
      checkMemory(type, device, settings, data.encoding);
      return (folder) => begin({ source, folder, device, settings, type, formula, data });
    },
  };
}

function checkMemory(type: ExampleModelType, device: Device, settings: Settings, encoding: TableEncoding): number {
  const bytes = type.memoryBytes(settings, encoding);
  return requireMemory(device, bytes, () => 'Lower --hidden or --layers first, then --batch.');
}

// biome-ignore lint/correctness/useYield: examples are written at once.
async function* begin(parts: ExampleParts): AsyncGenerator<PrepareEvent, TaskRun> {
  await saveData(parts.folder, parts.data);
  return ExampleRun.make(parts, 0);
}

function describeInputs({ inputs, sequence }: TableEncoding): string {
  if (sequence === undefined) return plural(inputs.length, 'column');
  const unit = inputs[0]?.kind === 'text' ? 'token' : 'step';
  const names = inputs.map(({ name }) => name).join(', ');
  return `sequences of ${plural(sequence.longest, unit)} at most (${names})`;
}

interface ExampleParts {
  readonly source: ExampleSource;
  readonly type: ExampleModelType;
  readonly folder: string;
  readonly device: Device;
  readonly settings: Settings;
  readonly formula: Activation;
  readonly data: ExampleData;
}

class ExampleRun implements TaskRun {
  readonly trainer: Learner;
  readonly formula: Activation;
  readonly #parts: ExampleParts;
  readonly #built: ExampleModel;
  readonly #secondsPerStep: number;

  private constructor(parts: ExampleParts, built: ExampleModel, trainer: Learner, secondsPerStep: number) {
    this.trainer = trainer;
    this.formula = parts.formula;
    this.#parts = parts;
    this.#built = built;
    this.#secondsPerStep = secondsPerStep;
  }

  static async make(parts: ExampleParts, done: number): Promise<ExampleRun> {
    const { source, device, settings, type, formula, data } = parts;
    const vary = (examples: Examples, key: RandomKey): Examples => source.vary?.(examples, settings, key) ?? examples;
    const built = type.build({ device, settings, formula, encoding: data.encoding, vary });
    try {
      const trainer = built.learner(data.training, done);
      await trainer.rehearse(); // compiles
      return new ExampleRun(parts, built, trainer, await trainer.rehearse());
    } catch (error) {
      built.model.dispose();
      throw error;
    }
  }

  get costs(): Costs {
    const { type, device, settings, data } = this.#parts;
    return {
      parameters: this.#built.model.parameterCount,
      memoryBytes: checkMemory(type, device, settings, data.encoding),
      estimatedSecondsPerStep: this.#secondsPerStep,
    };
  }

  get stepsPerEpoch(): number {
    return this.#built.stepsPerEpoch(this.#parts.data.training.count);
  }

  get method(): string {
    return this.#built.method;
  }

  get facts(): Facts {
    const { settings, data, source } = this.#parts;
    const { target } = data.encoding;
    const words = target.kind === 'words' ? target.words : [];
    const shown = words.length > 12 ? `${words.slice(0, 12).join(', ')}, ...` : words.join(', ');
    const said = target.kind === 'words' ? `classes of ${target.name}: ${shown}` : `values of ${target.name}`;
    const isDrawn = !source.isRead && data.encoding.sequence !== undefined;
    const again = isDrawn ? ' a pass, drawn anew each time' : ' to learn from';
    return [
      ['model', this.#built.description],
      [
        'data',
        `${settings.data}: ${counted(data.training.count, 'example')}${again}, ${count(data.validation.count)} held out`,
      ],
      ['predicts', `${said}, from ${describeInputs(data.encoding)}`],
    ];
  }

  get next(): readonly string[] {
    const { data, source } = this.#parts;
    const { inputs, sequence } = data.encoding;
    const asked = inputs[0]?.kind === 'text' ? ' --text "..."' : ' --data FILE';
    const shown = source.isRead ? `predict RUN${sequence?.series === undefined ? asked : ''}` : 'inspect RUN';
    return ['evaluate RUN --pictures', shown];
  }

  async measure({ signal }: MeasureOptions): Promise<Judgement> {
    const { device, data } = this.#parts;
    const { encoding, validation } = data;
    const options = { batch: judgedAtOnce, signal };
    const judged = await judgeExamples(device, this.#built.predict, validation, options);
    return judgementOf(scored(encoding, this.#built.head, validation, judged));
  }

  conclude(judgement: Judgement): void {
    this.#built.conclude?.(this.trainer, this.#parts.data.training, judgement);
  }

  async save(): Promise<void> {
    const { folder } = this.#parts;
    const { config, model } = this.#built;
    await writeFileAtomically(join(folder, runFiles.config), `${encodeJson(config, 2)}\n`);
    await saveWeights(folder, model);
  }

  async close(): Promise<void> {
    this.trainer.optimizer?.dispose();
    this.#built.model.dispose();
  }
}
