import { join } from 'node:path';
import type { Formula } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import { count, counted } from '../../base/units.js';
import { requireTargets, requireWindow } from '../../data/batches.js';
import { loadTokenizer, saveTokenizer } from '../../data/load-tokenizer.js';
import { MarkedTokenizer } from '../../data/marked-tokenizer.js';
import type { MaskVocabulary } from '../../data/masking.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import { parseTokenizerSpec } from '../../data/tokenizer-spec.js';
import type { Device } from '../../devices/device.js';
import { writeFileAtomically } from '../../formats/durable.js';
import { evaluateMasked, type MaskedEvaluation, MaskedTrainer } from '../../training/masked.js';
import { saveWeights } from '../checkpointing.js';
import { readEncoderDesign } from '../open-encoder.js';
import { completeOptimizer, isUsedBy, optimizerSettings, ruleOf } from '../optimizer-settings.js';
import { checkMemory, type Plan, plan } from '../plan.js';
import {
  closeTokens,
  makeTokenizer,
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
import type { Draft, Facts, Judgement, MeasureOptions, PrepareEvent, Task, TaskRun } from '../task.js';
import { type EncoderDesign, encoderNamed } from './encoder-types.js';
import { openMaskedJudge, optionsOf, percent, vocabularyOf } from './mlm-judge.js';
import { openMaskedSubject } from './mlm-subject.js';

const everyRun: readonly SettingName[] = [
  ...(['data', 'task', 'model', 'tokenizer', 'dim', 'layers', 'dropout', 'context', 'batch', 'accumulate'] as const),
  ...(['maskShare', 'wholeWords', 'steps', 'epochs', 'time', 'lr', 'minLr', 'warmup', 'schedule'] as const),
  ...optimizerSettings,
  ...(['evalEvery', 'evalTokens', 'saveEvery', 'keep', 'validation', 'seed'] as const),
  ...(['device', 'threads', 'deterministic'] as const),
];

/** To say hidden tokens of a text, from what stands before and behind them. */
export const mlm: Task = {
  name: 'mlm',
  description: 'say hidden tokens of a text',
  settings: ({ model, optimizer }) =>
    [...everyRun, ...encoderNamed(model).settings].filter((name) => isUsedBy(name, optimizer)),
  complete: completeMasked,
  open: openDraft,
  async resume({ folder, record, device, settings, done }) {
    const design = await readEncoderDesign(folder, record);
    const tokenizer = await loadTokenizer(folder);
    const costs = await plan(device, design, settings);
    const files = await openTokens(folder);
    try {
      return new MaskedRun({ folder, device, settings, design, tokenizer, files, costs }, done);
    } catch (error) {
      await closeTokens(files);
      throw error;
    }
  },
  judge: openMaskedJudge,
  inspect: openMaskedSubject,
};

function completeMasked(given: PartialSettings): Settings {
  const { data, model = 'bert' } = given;
  if (data === undefined) {
    throw new SluiceError('argument', {
      rule: 'training needs a text',
      received: 'no --data',
      remedy: 'Give --data my.txt, or --data demo for Moby Dick.',
    });
  }
  const { context = 3 } = given;
  if (context < 3) {
    throw new SluiceError('argument', {
      rule: 'a row of mlm has room for its two marks and a token',
      received: `--context ${context}`,
      remedy: 'Give --context 128.',
    });
  }
  return completeOptimizer(given, encoderNamed(model).complete({ ...given, model, data, task: 'mlm' }));
}

const purpose = { head: 'words' } as const;

async function openDraft(settings: Settings): Promise<Draft> {
  const spec = parseTokenizerSpec(settings.tokenizer);
  const type = encoderNamed(settings.model);
  const smallest = type.design(settings, spec.kind === 'bpe' ? spec.vocabularySize : 2, purpose);
  const texts = await openTexts(settings);
  requireLength(texts.training, settings.context);
  return {
    note: texts.note,
    name: `mlm-${settings.model}`,
    async *prepare(device, signal) {
      checkMemory(device, smallest, settings);
      const plain = yield* during((tell, until) => makeTokenizer(texts, settings, tell, until), signal);
      const tokenizer = new MarkedTokenizer(plain);
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
  const design = encoderNamed(settings.model).design(settings, tokenizer.vocabularySize, purpose);
  const costs = await plan(device, design, settings);
  const files = yield* during((tell, until) => tokenize(folder, texts, tokenizer, tell, until), signal, closeTokens);
  try {
    requireWindow(files.training, settings.context);
    requireTargets(files.validation);
    return new MaskedRun({ folder, device, settings, design, tokenizer, files, costs }, 0);
  } catch (error) {
    await closeTokens(files);
    throw error;
  }
}

interface MaskedParts {
  readonly folder: string;
  readonly device: Device;
  readonly settings: Settings;
  readonly design: EncoderDesign;
  readonly tokenizer: Tokenizer;
  readonly files: TokenFiles;
  readonly costs: Plan;
}

class MaskedRun implements TaskRun {
  readonly trainer: MaskedTrainer;
  readonly #parts: MaskedParts;
  readonly #vocabulary: MaskVocabulary;

  constructor(parts: MaskedParts, done: number) {
    this.#parts = parts;
    const { device, settings, design, files, tokenizer } = parts;
    this.#vocabulary = vocabularyOf(tokenizer);
    const { batch, context, accumulate, seed, maskShare: share, wholeWords } = settings;
    const model = design.build(device, settings.seed);
    const options = { batch, context, accumulate, seed, share, wholeWords, optimizer: ruleOf(settings) };
    const texts = { source: files.training, vocabulary: this.#vocabulary };
    this.trainer = new MaskedTrainer(device, model, texts, options, done);
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
    const { maskShare, wholeWords } = this.#parts.settings;
    const hidden = `${Number((100 * maskShare).toPrecision(3))} % of them ${wholeWords ? 'hidden in whole words' : 'hidden'}`;
    return `${counted(this.costs.tokensPerStep, 'token')}, ${hidden}, ${this.trainer.optimizer.rule.name}`;
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
    return [
      'predict RUN --text "The [MASK] is white."',
      'evaluate RUN --data other.txt',
      'embed RUN --text "The whale"',
    ];
  }

  async measure({ maximumTokens, signal }: MeasureOptions): Promise<Judgement> {
    const { device, settings, files } = this.#parts;
    const texts = { source: files.validation, vocabulary: this.#vocabulary };
    return judgementOf(
      await evaluateMasked(device, this.trainer.model, texts, { ...optionsOf(settings), maximumTokens, signal }),
    );
  }

  /** Writes what makes the folder a model that Hugging Face's libraries load. */
  async save(): Promise<void> {
    const { folder, design, tokenizer } = this.#parts;
    await writeFileAtomically(join(folder, runFiles.config), `${JSON.stringify(design.encode(), null, 2)}\n`);
    await saveTokenizer(folder, tokenizer);
    await saveWeights(folder, this.trainer.model);
  }

  close(): Promise<void> {
    return closeTokens(this.#parts.files);
  }
}

function judgementOf(evaluation: MaskedEvaluation): Judgement {
  const { loss, pseudoPerplexity, maskedAccuracy } = evaluation;
  return {
    loss,
    logged: { maskedAccuracy },
    details: { ...evaluation },
    summary: `Held-out text: loss ${loss.toFixed(4)} per hidden token, ${percent(maskedAccuracy)} said right, pseudo-perplexity ${pseudoPerplexity.toFixed(1)}`,
  };
}
