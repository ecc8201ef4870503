import { createLogUpdate } from 'log-update';
import { plural } from '../base/plural.js';
import { count, duration } from '../base/units.js';
import type { Baselines } from '../runs/baselines.js';
import type { ProfileReport } from '../runs/profile-report.js';
import type { Facts, Judgement } from '../runs/task.js';
import type { Progress, RunEvent } from '../runs/train-run.js';
import type { LearnerRecord } from '../training/learner.js';
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
  #last: LearnerRecord | undefined;
  #data = '';
  #seconds = 0;
  #pace: Progress = {};
  #evaluation: Judgement | undefined;
  #evaluatedAt = 0;
  #baselines: Baselines | undefined;
  #profile: ProfileReport | undefined;
  #next: readonly string[] = [];
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
        this.#evaluatedAt = event.step;
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
    const { loss: _, tokens: _tokens, bytes: _bytes, examples: _examples, ...scored } = this.#evaluation?.details ?? {};
    this.#output.result({
      run: this.#folder,
      data: this.#data,
      parameters: this.#parameters,
      step: this.#last?.step ?? this.#done,
      steps: this.#steps,
      loss: this.#last?.loss,
      validationLoss: this.#evaluation?.loss,
      ...scored,
      tokens: this.#last?.tokens,
      examples: this.#last?.examples,
      seconds: this.#seconds,
      tokensPerSecond: this.#pace.tokensPerSecond,
      examplesPerSecond: this.#pace.examplesPerSecond,
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
    this.#next = run.task.next;
    this.#parameters = plan.parameters;
    this.#steps = run.schedule.steps;
    this.#done = run.trainer.done;
    const { settings, device, task, schedule } = run;
    const left = schedule.steps - this.#done;
    const from = this.#done === 0 ? '' : `; goes on after step ${this.#done}`;
    const seconds = plan.estimatedSecondsPerStep * left;
    const rate = `peak learning rate ${settings.lr}, ${settings.schedule}`;
    const pairs: Facts = [
      ...task.facts,
      ['training', `${plural(schedule.steps, 'step')} of ${task.method}, ${rate}${from}`],
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
    this.#pace = event;
    const line = this.#describe(event);
    if (this.#live !== undefined) this.#live(line);
    else if (this.#shown === 0 || record.step === steps || record.step >= 1.1 * this.#shown + 10) {
      this.#output.progress(line);
      this.#shown = record.step;
    }
  }

  #describe({
    record,
    steps,
    tokensPerSecond,
    examplesPerSecond,
    secondsLeft,
  }: Extract<RunEvent, { kind: 'step' }>): string {
    const { loss } = this.#evaluation ?? {};
    const validation = loss === undefined ? '' : `  validation ${loss.toFixed(3)} after ${this.#evaluatedAt}`;
    const skipped = record.skipped === true ? '  (update left out: not finite)' : '';
    const share = record.step / steps;
    const bar = this.#live === undefined ? '' : `${'█'.repeat(Math.floor(20 * share)).padEnd(20, '░')} `;
    const rate = tokensPerSecond ?? examplesPerSecond;
    const pace =
      rate === undefined ? '' : `  ${count(rate)} ${tokensPerSecond === undefined ? 'examples' : 'tokens'}/s`;
    const left = secondsLeft === undefined ? '' : `  ${duration(secondsLeft)} left`;
    return `${bar}step ${record.step}/${steps}  loss ${record.loss.toFixed(3)}${validation}${pace}${left}${skipped}`;
  }

  #finish({ evaluation, baselines }: Extract<RunEvent, { kind: 'finished' }>): void {
    this.#baselines = baselines;
    const { step } = this.#last ?? { step: this.#steps };
    if (step < this.#steps) {
      this.#output.lines(`Ended after ${step} of ${plural(this.#steps, 'step')}: there is nothing left to learn.`);
    }
    this.#output.lines(evaluation.summary);
    if (baselines !== undefined) {
      const { bigram, trigram, xz } = baselines;
      const compressed = xz === undefined ? '' : `, xz -9 ${xz.toFixed(3)}`;
      this.#output.lines(
        `In comparison: Kneser-Ney bigrams ${bigram.toFixed(3)}, trigrams ${trigram.toFixed(3)} over the same tokens${compressed}`,
      );
    }
    const commands = this.#next.map((command) => `  npx sluice ${command.replace('RUN', quoted(this.#folder))}`);
    this.#output.lines('', 'Try next:', ...commands);
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

const oneLine = (text: string): string => text.trim().replaceAll(/\s+/g, ' ');
