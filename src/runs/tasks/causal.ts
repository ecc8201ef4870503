import { join } from 'node:path';
import type { Formula } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import { count, counted } from '../../base/units.js';
import { requireTargets, requireWindow } from '../../data/batches.js';
import { loadTokenizer, saveTokenizer } from '../../data/load-tokenizer.js';
import { type Tokenizer, tokenByteLengths } from '../../data/tokenizer.js';
import { parseTokenizerSpec } from '../../data/tokenizer-spec.js';
import type { Device } from '../../devices/device.js';
import { writeFileAtomically } from '../../formats/durable.js';
import { encodeGenerationConfig } from '../../formats/hugging-face/generation-config.js';
import { type Evaluation, evaluate } from '../../training/evaluate.js';
import { Trainer } from '../../training/trainer.js';
import { type Baselines, measureBaselines } from '../baselines.js';
import { saveWeights } from '../checkpointing.js';
import { generate } from '../generate.js';
import { type OpenRun, openRun, readDesign } from '../open-run.js';
import { completeOptimizer, isUsedBy, optimizerSettings, ruleOf } from '../optimizer-settings.js';
import { checkMemory, type Plan, plan } from '../plan.js';
import {
  closeText,
  closeTokens,
  makeTokenizer,
  openRunText,
  openTexts,
  openTokens,
  requireLength,
  type Texts,
  type TokenFiles,
  tokenize,
} from '../prepare.js';
import { during } from '../progress.js';
import { runFiles } from '../run-folder.js';
import type { PartialSettings, SettingName, Settings } from '../settings.js';
import type {
  Draft,
  Facts,
  Folder,
  Judge,
  Judged,
  Judgement,
  JudgeOptions,
  MeasureOptions,
  PrepareEvent,
  Task,
  TaskRun,
} from '../task.js';
import type { CausalDesign } from './causal-model-type.js';
import { causalModelNamed } from './causal-models.js';
import { openCausalSubject } from './causal-subject.js';

/** The settings that every model of text has a use for. */
const everyText: readonly SettingName[] = [
  ...(['data', 'task', 'model', 'tokenizer', 'dim', 'layers', 'dropout', 'context', 'batch', 'accumulate'] as const),
  ...(['steps', 'epochs', 'time', 'lr', 'minLr', 'warmup', 'schedule'] as const),
  ...optimizerSettings,
  ...(['evalEvery', 'evalTokens', 'sampleEvery', 'saveEvery', 'keep', 'validation', 'seed'] as const),
  ...(['device', 'threads', 'deterministic'] as const),
];

/** To predict the next token of a text. */
export const causal: Task = {
  name: 'causal',
  description: 'predict the next token of a text',
  settings: ({ model, optimizer }) =>
    [...everyText, ...causalModelNamed(model).settings].filter((name) => isUsedBy(name, optimizer)),
  complete: completeCausal,
  open: openDraft,
  async resume({ folder, record, device, settings, done }) {
    const design = await readDesign(folder, record);
    const tokenizer = await loadTokenizer(folder);
    const costs = await plan(device, design, settings);
    const files = await openTokens(folder);
    try {
      return new CausalRun({ folder, device, settings, design, tokenizer, files, costs }, done);
    } catch (error) {
      await closeTokens(files);
      throw error;
    }
  },
  judge: async ({ folder, device }: Folder & { readonly device: Device }): Promise<Judge> => {
    const run = await openRun(folder, device);
    return { judge: (options) => judgeOn(device, run, options), close: async () => run.model.dispose() };
  },
  inspect: openCausalSubject,
};

function completeCausal(given: PartialSettings): Settings {
  const { data, model } = given;
  const type = causalModelNamed(model);
  if (data !== undefined) return completeOptimizer(given, type.complete({ ...given, data }));
  throw new SluiceError('argument', {
    rule: 'training needs a text',
    received: 'no --data',
    remedy: 'Give --data my.txt, or --preset demo for Moby Dick.',
  });
}

async function openDraft(settings: Settings): Promise<Draft> {
  const spec = parseTokenizerSpec(settings.tokenizer);
  const type = causalModelNamed(settings.model);
  const smallest = type.design(settings, spec.kind === 'bpe' ? spec.vocabularySize : 2);
  const texts = await openTexts(settings);
  requireLength(texts.training, settings.context);
  return {
    note: texts.note,
    name: settings.data === 'demo' ? 'demo' : settings.model,
    async *prepare(device, signal) {
      checkMemory(device, smallest, settings);
      const foreign = noteOn(smallest);
      if (foreign !== undefined) yield { kind: 'note', message: foreign };
      const tokenizer = yield* during((tell, until) => makeTokenizer(texts, settings, tell, until), signal);
      if (tokenizer.vocabularySize < smallest.vocabSize) {
        const sizes = `${tokenizer.vocabularySize} tokens, not the ${smallest.vocabSize} asked for`;
        yield { kind: 'note', message: `the vocabulary has ${sizes}: nothing else occurs twice in the text` };
      }
      return (folder, until) => tokenizeInto(folder, { device, settings, texts, tokenizer }, until);
    },
  };
}

/** What is said of a block that no model type of Transformers has. */
function noteOn({ carrier, formula }: CausalDesign): string | undefined {
  if (carrier === undefined || carrier.act !== undefined) return undefined;
  return `Transformers has no ${formula.name}: the run is saved as a ${carrier.type} of our own, which Sluice alone opens`;
}

interface Materials {
  readonly device: Device;
  readonly settings: Settings;
  readonly texts: Texts;
  readonly tokenizer: Tokenizer;
}

async function* tokenizeInto(
  folder: string,
  { device, settings, texts, tokenizer }: Materials,
  signal?: AbortSignal,
): AsyncGenerator<PrepareEvent, TaskRun> {
  const design = causalModelNamed(settings.model).design(settings, tokenizer.vocabularySize);
  const costs = await plan(device, design, settings);
  const files = yield* during((tell, until) => tokenize(folder, texts, tokenizer, tell, until), signal, closeTokens);
  try {
    requireWindow(files.training, settings.context);
    requireTargets(files.validation);
    return new CausalRun({ folder, device, settings, design, tokenizer, files, costs }, 0);
  } catch (error) {
    await closeTokens(files);
    throw error;
  }
}

interface CausalParts {
  readonly folder: string;
  readonly device: Device;
  readonly settings: Settings;
  readonly design: CausalDesign;
  readonly tokenizer: Tokenizer;
  readonly files: TokenFiles;
  readonly costs: Plan;
}

class CausalRun implements TaskRun {
  readonly trainer: Trainer;
  readonly #parts: CausalParts;
  readonly #byteLengths: Int32Array;

  constructor(parts: CausalParts, done: number) {
    this.#parts = parts;
    this.#byteLengths = tokenByteLengths(parts.tokenizer);
    const { device, settings, design, files } = parts;
    const model = design.build(device, settings.seed);
    const { batch, context, accumulate, seed } = settings;
    const options = { batch, context, accumulate, seed, optimizer: ruleOf(settings) };
    this.trainer = new Trainer(device, model, files.training, options, done);
  }

  get costs(): Plan {
    return this.#parts.costs;
  }

  get formula(): Formula {
    return this.#parts.design.formula;
  }

  get stepsPerEpoch(): number {
    return this.#parts.files.training.length / this.costs.tokensPerStep;
  }

  get method(): string {
    return `${counted(this.costs.tokensPerStep, 'token')}, ${this.trainer.optimizer.rule.name}`;
  }

  get facts(): Facts {
    const { settings, design, tokenizer, files } = this.#parts;
    const [type, shape] = design.description;
    const text = settings.data === 'demo' ? 'Moby Dick' : settings.data;
    return [
      ['model', `${type}, ${counted(this.costs.parameters, 'parameter')}: ${shape}`],
      [
        'text',
        `${text}: ${counted(files.training.length, 'token')} to train on, ${count(files.validation.length)} held out`,
      ],
      ['tokens', `${settings.tokenizer}, vocabulary ${tokenizer.vocabularySize}`],
    ];
  }

  get next(): readonly string[] {
    const isDemo = this.#parts.settings.data === 'demo';
    // A model can begin by itself; the demo's is better asked.
    return [
      `generate RUN${isDemo ? ' --prompt "The whale"' : ''}`,
      'evaluate RUN --data other.txt',
      'train --data my.txt --preset 1m',
    ];
  }

  async measure(limit: MeasureOptions): Promise<Judgement> {
    const { device, settings, files } = this.#parts;
    const options = { batch: settings.batch, context: settings.context, ...limit };
    return judgementOf(await evaluate(device, this.trainer.model, files.validation, this.#byteLengths, options));
  }

  /** A sample from the start of a document, or of the text. */
  async sample(): Promise<string> {
    const { device, tokenizer, settings, files } = this.#parts;
    const prompt = tokenizer.endOfText === undefined ? tokenizer.decode(await files.training.read(0, 1)) : '';
    const options = { prompt, maxTokens: Math.min(60, settings.context), seed: settings.seed + this.trainer.done };
    let text = '';
    for await (const piece of generate(device, this.trainer.model, tokenizer, options)) text += piece.text;
    return text;
  }

  async baselines(): Promise<Baselines | undefined> {
    const { settings, tokenizer, files } = this.#parts;
    return settings.data === 'demo' ? measureBaselines(tokenizer, files.training, files.validation) : undefined;
  }

  /** Writes what makes the folder a model that Hugging Face's libraries load. */
  async save(): Promise<void> {
    const { folder, design, tokenizer } = this.#parts;
    const files = {
      [runFiles.config]: design.encode(tokenizer.endOfText),
      [runFiles.generation]: encodeGenerationConfig(tokenizer.endOfText),
    };
    for (const [name, content] of Object.entries(files)) {
      await writeFileAtomically(join(folder, name), `${JSON.stringify(content, null, 2)}\n`);
    }
    await saveTokenizer(folder, tokenizer);
    await saveWeights(folder, this.trainer.model);
  }

  close(): Promise<void> {
    return closeTokens(this.#parts.files);
  }
}

function judgementOf(evaluation: Evaluation): Judgement {
  const { loss, perplexity, bitsPerByte } = evaluation;
  return {
    loss,
    logged: { bitsPerByte },
    details: { ...evaluation },
    summary: `Held-out text: loss ${loss.toFixed(4)}, perplexity ${perplexity.toFixed(1)}, ${bitsPerByte.toFixed(3)} bits per byte`,
  };
}

/** Half a gigabyte. */
const mostLogits = 2 ** 27;

async function judgeOn(
  device: Device,
  { folder, design, record, model, tokenizer }: OpenRun,
  { data, batch, signal, tell }: JudgeOptions,
): Promise<Judged> {
  const source = await openRunText(folder, tokenizer, data, tell);
  const context = Math.min(design.context, record.settings.context);
  // More windows at a time would only take more memory: the logits of each are context * vocabulary numbers.
  const most = Math.max(1, Math.floor(mostLogits / (context * design.vocabSize)));
  const options = { batch: Math.min(batch, most), context, ...(signal === undefined ? {} : { signal }) };
  const result = await evaluate(device, model, source, tokenByteLengths(tokenizer), options).finally(() =>
    closeText(source),
  );
  return {
    facts: [
      ['loss', `${result.loss.toFixed(4)} nats per token`],
      ['perplexity', result.perplexity.toFixed(2)],
      ['bits per byte', result.bitsPerByte.toFixed(4)],
      ['tokens', String(result.tokens)],
    ],
    details: { ...result },
  };
}
