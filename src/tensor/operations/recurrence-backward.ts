import type { Device, View } from '../../devices/device.js';
import type { Cotangent } from '../autograd.js';
import { fill } from '../compute.js';
import { contribute, Targets } from '../gradients.js';
import type { MapProgram } from '../map-program.js';
import { expandLayout, packed } from '../shape.js';
import { Storage, type Tracker } from '../storage.js';
import { layoutOf, temporary } from './copies.js';
import { writable } from './in-place.js';
import { hasUnitAxis, multiply, swapped } from './matmul.js';
import {
  cellInputs,
  columnsOf,
  type Operand,
  projectionInputs,
  type RecurrenceRecord,
  rowsOf,
  type Step,
} from './recurrence.js';

/** The gradient of a state, collected from later steps. */
interface StateGradient {
  /** After every step, [rows, width], where something else than the next step reads the state. */
  readonly history: View | undefined;
  /** Before the first step, [batch, width]; without a history it is what goes from step to step. */
  readonly first: View;
}

/** Back-propagation through time: gradients go from the last step to the first, those of weights are one product. */
export class RecurrenceBackward {
  readonly #tracker: Tracker;
  readonly #device: Device;
  readonly #record: RecurrenceRecord;
  readonly #own: Storage[] = [];
  readonly #states: readonly StateGradient[];
  /** Of the pre-activations: over their values, unless somebody goes through them again. */
  readonly #gates: View;
  /** Of the projection's product, and of what goes into it at one step. */
  readonly #product: View | undefined;
  readonly #projected: View | undefined;

  constructor(
    tracker: Tracker,
    record: RecurrenceRecord,
    cotangents: readonly (Cotangent | undefined)[],
    isLast: boolean,
  ) {
    this.#tracker = tracker;
    this.#device = tracker.device;
    this.#record = record;
    const { projection, gates, histories, hidden, steps } = record;
    const [{ count: batch } = { count: 0 }] = steps;
    this.#states = histories.map(({ shape: [rows = 0, width = 0] }, state) => ({
      history: this.#historyOf(cotangents[state], state === 0 ? [rows, width] : undefined),
      first: this.#zeros([batch, width]),
    }));
    this.#gates = isLast ? gates : this.#allocate(gates.shape);
    if (projection === undefined) return;
    const { history } = this.#states[0] as StateGradient;
    const outputs = history as View;
    this.#product = projection.program === undefined ? outputs : this.#allocate(outputs.shape);
    this.#projected = this.#allocate([batch, hidden]);
  }

  #allocate(shape: readonly number[]): View {
    const storage = new Storage(this.#tracker, 'float32', shape);
    storage.hold();
    this.#own.push(storage);
    return { buffer: storage.buffer, ...packed(shape) };
  }

  #zeros(shape: readonly number[]): View {
    const view = this.#allocate(shape);
    fill(this.#device, view, 0);
    return view;
  }

  /** What came from outside, to add to; zeros of a shape that is given where nothing came. */
  #historyOf(cotangent: Cotangent | undefined, shape: readonly number[] | undefined): View | undefined {
    if (cotangent === undefined) return shape === undefined ? undefined : this.#zeros(shape);
    const { storage, view } = writable(cotangent);
    this.#own.push(storage);
    return view;
  }

  run(): void {
    const { steps, given, recurrentWeight, program } = this.#record;
    const { recurrent, gates } = program;
    const block = columnsOf(this.#gates, this.#record.hidden, recurrent, gates);
    for (let t = steps.length - 1; t >= 0; t--) {
      const step = steps[t] as Step;
      this.#step(t, step);
      if (t === 0 && given[0]?.source === undefined) break;
      multiply(this.#device, rowsOf(block, step), recurrentWeight.view, this.#before(0, t, step), true);
    }
    this.#contribute(block);
    for (const storage of this.#own) storage.letGo(temporary);
  }

  /** Where the gradient of a state before a step is collected. */
  #before(state: number, t: number, { count }: Step): View {
    const { history, first } = this.#states[state] as StateGradient;
    const before = this.#record.steps[t - 1];
    if (history === undefined || before === undefined) return rowsOf(first, { start: 0, count });
    return rowsOf(history, { start: before.start, count });
  }

  /** The gradients of a step's pre-activations and of the states that it read. */
  #step(t: number, step: Step): void {
    const { program, hidden } = this.#record;
    const cotangents = this.#states.map(({ history, first }) =>
      history === undefined ? rowsOf(first, { start: 0, count: step.count }) : rowsOf(history, step),
    );
    if (this.#projected !== undefined) cotangents[0] = this.#throughProjection(step, cotangents[0] as View);
    const states = program.reads.map((state) => this.#before(state, t, step));
    const gates = rowsOf(this.#gates, step);
    const columns = program.columns.map((_, i) => columnsOf(gates, hidden, i));
    const firstState = program.program.inputs.length - program.reads.length;
    const wanted = [...columns.keys(), ...program.reads.map((_, i) => firstState + i)];
    const sums = program.reads.map((state) => this.#states[state]?.history !== undefined);
    const adds = [...columns.map(() => false), ...sums];
    const given = cellInputs(this.#record, t);
    const previous = states.filter((_, i) => sums[i]);
    this.#map(program.program, wanted, adds, given, cotangents, previous, [...columns, ...states]);
  }

  #map(
    program: MapProgram,
    wanted: readonly number[],
    adds: readonly boolean[],
    given: readonly View[],
    cotangents: readonly View[],
    previous: readonly View[],
    outputs: readonly View[],
  ): void {
    const gradient = program.mapGradient(wanted, adds);
    const inputs = [
      ...gradient.inputs.map((i) => given[i] as View),
      ...gradient.cotangents.map((k) => cotangents[k] as View),
      ...previous,
    ];
    this.#device.map(gradient.kernel, inputs, [], outputs);
  }

  /** The gradient of what the projection of a step takes, from that of what it gives. */
  #throughProjection(step: Step, output: View): View {
    const { projection } = this.#record;
    if (projection === undefined || this.#product === undefined) return output;
    const product = rowsOf(this.#product, step);
    if (projection.program !== undefined) {
      const given = projectionInputs(rowsOf(projection.product, step), projection.bias);
      this.#map(projection.program, [0], [false], given, [output], [], [product]);
    }
    const from = rowsOf(this.#projected as View, { start: 0, count: step.count });
    multiply(this.#device, product, projection.weight.view, from, false);
    return from;
  }

  /** Brings the collected gradients to the operands: those of weights are one product over all steps. */
  #contribute(block: View): void {
    const { program, hidden, x, inputWeight, recurrentWeight, bias, given, projection } = this.#record;
    const device = this.#device;
    this.#collect(recurrentWeight, (target, accumulate) => {
      const pairs = this.#pairs(block);
      if (pairs.length === 0 && !accumulate) fill(device, target, 0);
      for (const [i, { after, before }] of pairs.entries()) {
        multiply(device, swapped(after), before, target, accumulate || i > 0);
      }
    });
    const parts = program.segments.map(({ row, column, count }) => ({
      rows: { start: row * hidden, count: count * hidden },
      gradient: columnsOf(this.#gates, hidden, column, count),
    }));
    this.#collect(inputWeight, (target, accumulate) => {
      for (const { rows, gradient } of parts) {
        multiply(device, swapped(gradient), x.view, rowsOf(target, rows), accumulate);
      }
    });
    this.#collect(x, (target, accumulate) => {
      for (const [i, { rows, gradient }] of parts.entries()) {
        multiply(device, gradient, rowsOf(inputWeight.view, rows), target, accumulate || i > 0);
      }
    });
    this.#add(bias, this.#gates);
    for (const [i, state] of given.entries()) this.#add(state, this.#states[i]?.first);
    const product = this.#product;
    if (projection === undefined || product === undefined) return;
    this.#collect(projection.weight, (target, accumulate) => {
      multiply(device, swapped(product), projection.from, target, accumulate);
    });
    this.#add(projection.bias, product);
  }

  /** The gradients behind each step's recurrent product and the outputs before it, in as few pieces as memory has them. */
  #pairs(block: View): { readonly after: View; readonly before: View }[] {
    const { steps, given, histories, initial } = this.#record;
    const [outputs, first] = [histories[0] as View, initial[0] as View];
    const pieces: { after: { start: number; count: number }; before: { start: number; count: number } }[] = [];
    for (const [t, step] of steps.entries()) {
      const { start } = steps[t - 1] ?? step;
      if (t === 0) continue;
      const last = pieces.at(-1);
      if (last !== undefined && last.before.start + last.before.count === start) {
        last.after.count += step.count;
        last.before.count += step.count;
      } else pieces.push({ after: { ...step }, before: { start, count: step.count } });
    }
    const pairs = pieces.map(({ after, before }) => ({ after: rowsOf(block, after), before: rowsOf(outputs, before) }));
    const [beginning] = steps;
    if (given[0] === undefined || beginning === undefined) return pairs;
    return [{ after: rowsOf(block, beginning), before: first }, ...pairs];
  }

  /** Has the gradient of a matrix written or added to, if it wants one. */
  #collect({ source, view }: Operand, write: (target: View, accumulate: boolean) => void): void {
    if (source === undefined) return;
    const options = { mode: 'accumulates', fits: hasUnitAxis } as const;
    const targets = new Targets(this.#tracker, [{ source, layout: layoutOf(view) }], options);
    for (const { output, previous } of targets.all) write(output, previous !== undefined);
    targets.close();
  }

  /** Adds a gradient to that of a tensor, which may repeat along its rows. */
  #add(operand: Operand | undefined, gradient: View | undefined): void {
    if (operand?.source === undefined || gradient === undefined) return;
    const layout = expandLayout(layoutOf(operand.view), gradient.shape);
    contribute(this.#tracker, { source: operand.source, layout }, gradient);
  }
}
