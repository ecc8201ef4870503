import { createLogUpdate } from 'log-update';
import { plural } from '../base/plural.js';
import type { Baselines } from '../runs/baselines.js';
import type { ProfileReport } from '../runs/profile-report.js';
import type { RunEvent } from '../runs/train-run.js';
import type { Evaluation } from '../training/evaluate.js';
import type { StepRecord } from '../training/trainer.js';
import { type Output, quoted } from './output.js';
import { showProfile } from './profile-view.js';

/** Shows a run to a person, or tells its result to a script. */
export class TrainView {
  readonly #output: Output;
  readonly #live: ReturnType<typeof createLogUpdate> | undefined;
  #folder = '';
  #parameters = 0;
  #steps = 0;
  #done = 0;
  #last: StepRecord | undefined;
  #data = '';
  #seconds = 0;
  #pace: number | undefined;
  #evaluation: Evaluation | undefined;
  #baselines: Baselines | undefined;
  #profile: ProfileReport | undefined;
  #prompt = '';
  #stage = '';
  #shown = 0;
  readonly #warned = new Set<string>();

  constructor(output: Output) {
    this.#output = output;
    this.#live = output.terminal.interactive && !output.quiet ? createLogUpdate(process.stderr) : undefined;
  }

  show(event: RunEvent): void {
    switch (event.kind) {
      case 'preparing':
        this.#prepare(event);
        break;
      case 'started':
        this.#live?.clear();
        this.#start(event);
        break;
      case 'note':
        this.#line(event.message);
        break;
      case 'warning':
        this.#warn(event.message);
        break;
      case 'step':
        this.#step(event);
        break;
      case 'evaluated':
        this.#evaluation = event.evaluation;
        break;
      case 'sampled':
        this.#line(this.#output.style('dim', `  step ${event.step}: ${oneLine(event.text)}`));
        break;
      case 'profiled':
        this.#live?.clear();
        this.#profile = event.report;
        showProfile(this.#output, event.report, event.trace);
        break;
      case 'saved':
        break;
      case 'interrupted':
        this.#live?.clear();
        this.#output.progress(
          `Stopped after step ${event.step}; it is saved. To go on:\n\n  npx sluice train --resume ${quoted(this.#folder)}\n`,
        );
        break;
      case 'finished':
        this.#live?.clear();
        this.#evaluation = event.evaluation;
        this.#finish(event);
        break;
    }
  }

  /** Whether the run has begun: its files are there. */
  get isStarted(): boolean {
    return this.#folder !== '';
  }

  /** The result for scripts; gives the exit code. */
  finish(): number {
    this.#live?.done();
    this.#output.result({
      run: this.#folder,
      data: this.#data,
      parameters: this.#parameters,
      step: this.#last?.step ?? this.#done,
      steps: this.#steps,
      loss: this.#last?.loss,
      validationLoss: this.#evaluation?.loss,
      perplexity: this.#evaluation?.perplexity,
      bitsPerByte: this.#evaluation?.bitsPerByte,
      tokens: this.#last?.tokens,
      seconds: this.#seconds,
      tokensPerSecond: this.#pace,
      baselines: this.#baselines,
      profile: this.#profile,
    });
    return 0;
  }

  #prepare({ stage, share }: { readonly stage: string; readonly share: number }): void {
    const text = stage === 'tokenizer' ? 'training the tokenizer' : `tokenizing the ${stage}`;
    if (this.#live !== undefined) this.#live(`${text} ${Math.round(100 * share)} %`);
    else if (this.#stage !== stage) this.#output.progress(text);
    this.#stage = stage;
  }

  #start({ run, plan }: Extract<RunEvent, { kind: 'started' }>): void {
    this.#folder = run.folder;
    this.#data = run.settings.data;
    this.#prompt = promptFor(run);
    this.#parameters = plan.parameters;
    this.#steps = run.schedule.steps;
    this.#done = run.trainer.done;
    const { config, settings, device, tokenizer } = run;
    const grouped =
      config.numKeyValueHeads === config.numAttentionHeads ? '' : `, ${config.numKeyValueHeads} for keys and values`;
    const left = run.schedule.steps - this.#done;
    const from = this.#done === 0 ? '' : `; goes on after step ${this.#done}`;
    const seconds = plan.estimatedSecondsPerStep * left;
    const pairs: [string, string][] = [
      [
        'model',
        `${modelName(settings.model)}, ${counted(plan.parameters, 'parameter')}: ${plural(config.numHiddenLayers, 'layer')} of ${config.hiddenSize}, ${plural(config.numAttentionHeads, 'head')}${grouped}, ${config.feedForward.name} block of ${config.intermediateSize}`,
      ],
      [
        'text',
        `${settings.data === 'demo' ? 'Moby Dick' : settings.data}: ${counted(run.training.length, 'token')} to train on, ${count(run.validation.length)} held out`,
      ],
      ['tokens', `${settings.tokenizer}, vocabulary ${tokenizer.vocabularySize}`],
      [
        'training',
        `${plural(run.schedule.steps, 'step')} of ${counted(plan.tokensPerStep, 'token')}, AdamW, peak learning rate ${settings.lr}, ${settings.schedule}${from}`,
      ],
      ['device', `${device.name}: ${device.description}`],
      ['needs', `about ${Math.ceil(plan.memoryBytes / 2 ** 20)} MiB of memory and ${duration(seconds)}`],
      ['run', run.folder],
    ];
    if (!this.#output.quiet) {
      for (const line of pairs.map(([name, value]) => `${this.#output.style('bold', name.padEnd(9))} ${value}`))
        this.#output.progress(line);
      this.#output.progress('');
    }
  }

  #step(event: Extract<RunEvent, { kind: 'step' }>): void {
    const { record, steps } = event;
    this.#last = record;
    this.#seconds += record.seconds;
    this.#pace = event.tokensPerSecond;
    const line = this.#describe(event);
    if (this.#live !== undefined) this.#live(line);
    else if (this.#shown === 0 || record.step === steps || record.step >= 1.1 * this.#shown + 10) {
      this.#output.progress(line);
      this.#shown = record.step;
    }
  }

  #describe({ record, steps, tokensPerSecond, secondsLeft }: Extract<RunEvent, { kind: 'step' }>): string {
    const validation = this.#evaluation === undefined ? '' : `  validation ${this.#evaluation.loss.toFixed(3)}`;
    const skipped = record.skipped === true ? '  (update left out: not finite)' : '';
    const share = record.step / steps;
    const bar = this.#live === undefined ? '' : `${'█'.repeat(Math.floor(20 * share)).padEnd(20, '░')} `;
    const pace = tokensPerSecond === undefined ? '' : `  ${count(tokensPerSecond)} tokens/s`;
    const left = secondsLeft === undefined ? '' : `  ${duration(secondsLeft)} left`;
    return `${bar}step ${record.step}/${steps}  loss ${record.loss.toFixed(3)}${validation}${pace}${left}${skipped}`;
  }

  #finish({ evaluation, baselines }: Extract<RunEvent, { kind: 'finished' }>): void {
    const { loss, perplexity, bitsPerByte } = evaluation;
    this.#baselines = baselines;
    this.#output.lines(
      `Held-out text: loss ${loss.toFixed(4)}, perplexity ${perplexity.toFixed(1)}, ${bitsPerByte.toFixed(3)} bits per byte`,
    );
    if (baselines !== undefined) {
      const { bigram, trigram, xz } = baselines;
      const compressed = xz === undefined ? '' : `, xz -9 ${xz.toFixed(3)}`;
      this.#output.lines(
        `In comparison: Kneser-Ney bigrams ${bigram.toFixed(3)}, trigrams ${trigram.toFixed(3)} over the same tokens${compressed}`,
      );
    }
    this.#output.lines(
      '',
      'Try next:',
      `  npx sluice generate ${quoted(this.#folder)}${this.#prompt}`,
      `  npx sluice evaluate ${quoted(this.#folder)} --data other.txt`,
      '  npx sluice train --data my.txt --preset 1m',
    );
  }

  /** Once each: what cannot be removed after one checkpoint cannot after the next. */
  #warn(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#live?.clear();
    this.#output.warn(message);
  }

  /** A line that stays, above the one that is updated. */
  #line(text: string): void {
    this.#live?.clear();
    this.#output.progress(text);
  }
}

/** A type that nobody asked for by name is explained. */
const modelName = (model: string): string => (model === 'arcee' ? 'Arcee (a LLaMA with a plain block)' : 'LLaMA');

/** A model can begin by itself; the demo's is better asked. */
const promptFor = ({ settings }: Extract<RunEvent, { kind: 'started' }>['run']): string =>
  settings.data === 'demo' ? ' --prompt "The whale"' : '';

const oneLine = (text: string): string => text.trim().replaceAll(/\s+/g, ' ');

/** 1,234,567 as 1.2M. */
export function count(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(1)}G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
  return value >= 1e4 ? `${(value / 1e3).toFixed(0)}k` : String(Math.round(value));
}

const counted = (value: number, noun: string): string => plural(value, noun, count(value));

export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
