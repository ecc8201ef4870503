import type { DeviceBuffer, RowArguments, View } from '../../devices/device.js';
import type { Cotangent } from '../autograd.js';
import { fill, viewOf } from '../compute.js';
import { contribute, type Differentiable, Targets } from '../gradients.js';
import type { OperandKind, RowGradient, RowOutput, RowProgram } from '../row-program.js';
import { asMatrix, expandLayout, isPacked, packed, sizeOf } from '../shape.js';
import type { Storage, Tracker } from '../storage.js';

/** An operand of a row operation as its kernels read it. */
export interface RowInput {
  readonly name: string;
  readonly kind: OperandKind;
  /** [rows, length], [length] or [rows]. */
  readonly view: View;
  /** For gradients: its source, and its layout in its own shape. */
  readonly input: Differentiable | undefined;
  readonly storage: Storage;
}

interface Named {
  readonly name: string;
  readonly view: View;
}

/** The gradients of a row operation's operands: a row kernel, and a column kernel for what all rows share. */
export class RowBackward {
  readonly #program: RowProgram;
  readonly #gradient: RowGradient;
  readonly #tracker: Tracker;
  readonly #size: Pick<RowArguments, 'rows' | 'length' | 'scalars'>;
  readonly #inputs: ReadonlyMap<string, RowInput>;
  readonly #saved: readonly Named[];

  constructor(
    program: RowProgram,
    gradient: RowGradient,
    tracker: Tracker,
    size: Pick<RowArguments, 'rows' | 'length' | 'scalars'>,
    inputs: readonly RowInput[],
    saved: readonly Named[],
  ) {
    this.#program = program;
    this.#gradient = gradient;
    this.#tracker = tracker;
    this.#size = size;
    this.#inputs = new Map(inputs.map((input) => [input.name, input]));
    this.#saved = saved;
  }

  run(cotangents: readonly (Cotangent | undefined)[], isLast: boolean): void {
    const { device } = this.#tracker;
    const scratch: DeviceBuffer[] = [];
    const allocate = (shape: readonly number[]): View => {
      const buffer = device.allocate('float32', sizeOf(shape));
      scratch.push(buffer);
      return { buffer, ...packed(shape) };
    };
    const { rows, length } = this.#size;
    const known = new Map<string, View>(this.#saved.map(({ name, view }) => [name, view]));
    for (const [name, { view }] of this.#inputs) known.set(name, view);
    for (const [k, name] of this.#program.cotangents.entries()) {
      const shape = this.#program.extents[k] === 'element' ? [rows, length] : [rows];
      const given = cotangents[k]?.view;
      const view = given === undefined ? allocate(shape) : viewOf(given, packed(shape));
      if (given === undefined) fill(device, view, 0);
      known.set(name, view);
    }
    const hoisted = [...this.#gradient.hoisted.values()].map((name) => ({ name, view: allocate([rows]) }));
    for (const { name, view } of hoisted) known.set(name, view);
    const [only] = cotangents.length === 1 ? cotangents : [];
    if (hoisted.length > 0) {
      this.#runRows(known, hoisted, undefined, false);
      this.#runColumns(known);
    } else {
      // The row kernel may overwrite the cotangent, which the column kernel reads: that comes first.
      this.#runColumns(known);
      this.#runRows(known, hoisted, only?.storage, isLast);
    }
    for (const buffer of scratch) device.free(buffer);
  }

  /** Operands of a kernel by name. */
  #arguments(
    names: {
      readonly elements: readonly string[];
      readonly columns: readonly string[];
      readonly rows: readonly string[];
    },
    known: ReadonlyMap<string, View>,
    outputs: readonly View[],
  ): RowArguments {
    const views = (wanted: readonly string[]): View[] => {
      const found: View[] = [];
      for (const name of wanted) {
        const view = known.get(name);
        if (view !== undefined) found.push(view);
      }
      return found;
    };
    const { rows, length, scalars } = this.#size;
    return {
      ...{ rows, length, scalars },
      elements: views(names.elements),
      columns: views(names.columns),
      perRow: views(names.rows),
      outputs,
    };
  }

  #runRows(
    known: ReadonlyMap<string, View>,
    hoisted: readonly Named[],
    reusable: Storage | undefined,
    overwrites: boolean,
  ): void {
    const { rowOutputs } = this.#gradient;
    if (rowOutputs.length === 0 && hoisted.length === 0) return;
    const { device } = this.#tracker;
    const { rows } = this.#size;
    // An element operand whose gradient is one value for the row takes it from a buffer of its own.
    const direct = rowOutputs.map(({ name, extent }) =>
      (this.#inputs.get(name)?.kind === 'row') === (extent === 'row') ? this.#inputs.get(name)?.input : undefined,
    );
    const opened = direct.filter((input) => input !== undefined);
    const isRow = new Set([...this.#inputs.values()].flatMap(({ kind, input }) => (kind === 'row' && input) || []));
    const targets = new Targets(this.#tracker, opened, {
      mode: 'adds',
      ...{ reusable, overwrites },
      fits: (layout, input) => (isRow.has(input) ? isPacked(layout) : asMatrix(layout) !== undefined),
    });
    const spread: { readonly output: RowOutput; readonly buffer: DeviceBuffer }[] = [];
    const operands = new Map(known);
    const adds: boolean[] = [];
    const outputs = rowOutputs.map((output, i): View => {
      const input = direct[i];
      const target = input === undefined ? undefined : targets.all[opened.indexOf(input)];
      if (target === undefined) {
        const buffer = device.allocate('float32', rows);
        spread.push({ output, buffer });
        adds.push(false);
        return { buffer, ...packed([rows]) };
      }
      const flat = (view: View): View =>
        output.extent === 'element' ? viewOf(view, asMatrix(view) ?? view) : viewOf(view, packed([rows], view.offset));
      adds.push(target.previous !== undefined);
      if (target.previous !== undefined) operands.set(this.#program.previousOf(output.name), flat(target.previous));
      return flat(target.output);
    });
    const kernel = this.#program.rowGradientKernel(this.#gradient, adds);
    device.row(kernel, this.#arguments(kernel, operands, [...outputs, ...hoisted.map(({ view }) => view)]));
    targets.close();
    for (const { output, buffer } of spread) {
      this.#spread(output.name, { buffer, ...packed([rows]) });
      device.free(buffer);
    }
  }

  /** Adds one value for each row to the gradient of all its elements. */
  #spread(name: string, values: View): void {
    const input = this.#inputs.get(name)?.input;
    if (input === undefined) return;
    const { shape } = input.layout;
    const column = viewOf(values, packed([...shape.slice(0, -1), 1]));
    contribute(this.#tracker, input, viewOf(column, expandLayout(column, shape)));
  }

  #runColumns(known: ReadonlyMap<string, View>): void {
    const { columnOutputs } = this.#gradient;
    const wanted = columnOutputs.flatMap(({ name, expression }) => {
      const input = this.#inputs.get(name)?.input;
      return input === undefined ? [] : [{ input, expression }];
    });
    if (wanted.length === 0) return;
    const inputs = wanted.map(({ input }) => input);
    const targets = new Targets(this.#tracker, inputs, { mode: 'accumulates', fits: isPacked });
    for (const accumulate of [false, true]) {
      const chosen = targets.all.flatMap(({ output, previous }, i) => {
        const expression = wanted[i]?.expression;
        return (previous !== undefined) === accumulate && expression !== undefined ? [{ output, expression }] : [];
      });
      if (chosen.length === 0) continue;
      const kernel = this.#program.columnGradientKernel(
        this.#gradient,
        chosen.map(({ expression }) => expression),
      );
      const outputs = chosen.map(({ output }) => output);
      this.#tracker.device.column(kernel, this.#arguments(kernel, known, outputs), accumulate);
    }
    targets.close();
  }
}
