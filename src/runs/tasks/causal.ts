import { join } from 'node:path';
import { plural } from '../../base/plural.js';
import { count, counted } from '../../base/units.js';
import { requireTargets, requireWindow } from '../../data/batches.js';
import { loadTokenizer, saveTokenizer } from '../../data/load-tokenizer.js';
import { type Tokenizer, tokenByteLengths } from '../../data/tokenizer.js';
import { parseTokenizerSpec } from '../../data/tokenizer-spec.js';
import type { Device } from '../../devices/device.js';
import { writeFileAtomically } from '../../formats/durable.js';
import { encodeConfig, encodeGenerationConfig } from '../../formats/hugging-face.js';
import { Initializer } from '../../layers/initialization.js';
import { Llama, type LlamaConfig } from '../../models/llama.js';
import { type Evaluation, evaluate } from '../../training/evaluate.js';
import { Trainer } from '../../training/trainer.js';
import { type Baselines, measureBaselines } from '../baselines.js';
import { saveWeights } from '../checkpointing.js';
import { generate } from '../generate.js';
import { configOf } from '../model.js';
import { openRun, readConfig } from '../open-run.js';
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
import { completeCausal } from '../presets.js';
import { during } from '../progress.js';
import { runFiles } from '../run-folder.js';
import { type SettingName, type Settings, settingNames } from '../settings.js';
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

/** Settings of tasks that learn from examples. */
const foreign: readonly SettingName[] = [
  'target',
  'inputs',
  'missing',
  'loss',
  'labelSmoothing',
  'initialization',
  'outputs',
  'examples',
  'shift',
  'surrogate',
  'length',
  'symbols',
  'delay',
  'window',
  'horizon',
  'season',
  'bidirectional',
  'pooling',
];

/** To predict the next token of a text. */
export const causal: Task = {
  name: 'causal',
  description: 'predict the next token of a text',
  settings: () => settingNames.filter((name) => !foreign.includes(name)),
  complete: completeCausal,
  open: openDraft,
  async resume({ folder, record, device, settings, done }) {
    const config = await readConfig(folder, record);
    const tokenizer = await loadTokenizer(folder);
    const costs = await plan(device, config, settings);
    const files = await openTokens(folder);
    return new CausalRun({ folder, device, settings, config, tokenizer, files, costs }, done);
  },
  judge: async ({ folder, device }: Folder & { readonly device: Device }): Promise<Judge> => {
    const { config, model, tokenizer } = await openRun(folder, device);
    return {
      judge: (options) => judgeOn(device, { folder, config, model, tokenizer }, options),
      close: async () => model.dispose(),
    };
  },
};

async function openDraft(settings: Settings): Promise<Draft> {
  const spec = parseTokenizerSpec(settings.tokenizer);
  const smallest = configOf(settings, spec.kind === 'bpe' ? spec.vocabularySize : 2);
  const texts = await openTexts(settings);
  requireLength(texts.training, settings.context);
  return {
    note: texts.note,
    name: settings.data === 'demo' ? 'demo' : settings.model,
    async *prepare(device, signal) {
      checkMemory(device, smallest, settings);
      const tokenizer = yield* during((tell, until) => makeTokenizer(texts, settings, tell, until), signal);
      if (tokenizer.vocabularySize < smallest.vocabSize) {
        const sizes = `${tokenizer.vocabularySize} tokens, not the ${smallest.vocabSize} asked for`;
        yield { kind: 'note', message: `the vocabulary has ${sizes}: nothing else occurs twice in the text` };
      }
      return (folder, until) => tokenizeInto(folder, { device, settings, texts, tokenizer }, until);
    },
  };
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
  const config = configOf(settings, tokenizer.vocabularySize);
  const costs = await plan(device, config, settings);
  const files = yield* during((tell, until) => tokenize(folder, texts, tokenizer, tell, until), signal, closeTokens);
  try {
    requireWindow(files.training, settings.context);
    requireTargets(files.validation);
    return new CausalRun({ folder, device, settings, config, tokenizer, files, costs }, 0);
  } catch (error) {
    await closeTokens(files);
    throw error;
  }
}

interface CausalParts {
  readonly folder: string;
  readonly device: Device;
  readonly settings: Settings;
  readonly config: LlamaConfig;
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
    const { device, settings, config, files } = parts;
    const model = new Llama(new Initializer(device, settings.seed), config);
    const { batch, context, accumulate, seed, weightDecay, clip, beta2 } = settings;
    const options = { batch, context, accumulate, seed, optimizer: { weightDecay, clip, beta2 } };
    this.trainer = new Trainer(device, model, files.training, options, done);
  }

  get costs(): Plan {
    return this.#parts.costs;
  }

  get formula(): LlamaConfig['feedForward'] {
    return this.#parts.config.feedForward;
  }

  get stepsPerEpoch(): number {
    return this.#parts.files.training.length / this.costs.tokensPerStep;
  }

  get method(): string {
    return `${counted(this.costs.tokensPerStep, 'token')}, AdamW`;
  }

  get facts(): Facts {
    const { settings, config, tokenizer, files } = this.#parts;
    const { numHiddenLayers, hiddenSize, numAttentionHeads, numKeyValueHeads, intermediateSize, feedForward } = config;
    const grouped = numKeyValueHeads === numAttentionHeads ? '' : `, ${numKeyValueHeads} for keys and values`;
    // A type that nobody asked for by name is explained.
    const type = settings.model === 'arcee' ? 'Arcee (a LLaMA with a plain block)' : 'LLaMA';
    const block = `${feedForward.name} block of ${intermediateSize}`;
    const shape = `${plural(numHiddenLayers, 'layer')} of ${hiddenSize}, ${plural(numAttentionHeads, 'head')}${grouped}, ${block}`;
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
    const { folder, config, tokenizer } = this.#parts;
    const files = {
      [runFiles.config]: encodeConfig(config, tokenizer.endOfText),
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

interface TrainedModel {
  readonly folder: string;
  readonly config: LlamaConfig;
  readonly model: Llama;
  readonly tokenizer: Tokenizer;
}

async function judgeOn(
  device: Device,
  { folder, config, model, tokenizer }: TrainedModel,
  { data, batch, signal, tell }: JudgeOptions,
): Promise<Judged> {
  const source = await openRunText(folder, tokenizer, data, tell);
  const options = { batch, context: config.maxPositionEmbeddings, ...(signal === undefined ? {} : { signal }) };
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
