import { SluiceError } from '../../base/errors.js';
import type { MapKernel } from '../../kernels/kernel.js';
import { type Expression, variable } from '../../scalar/expression.js';
import type { View } from '../device.js';
import { lowerToLanes } from '../lanes.js';
import { type Slot, slotOf, slotsKey } from '../variants.js';
import { ArgumentReader, ArgumentWriter } from './arguments.js';
import type { FunctionBuilder, Local } from './assembler.js';
import { type GroupSize, loadGroup, type Operand, storeGroup, vectorsPerGroup } from './groups.js';
import { LanePrinter, laneTypes, type Vector } from './lanes.js';
import { addressOf } from './memory.js';
import type { WasmRuntime } from './runtime.js';
import { KernelVariants } from './variants.js';

/** Elements that one turn of a thread takes: enough to hide its cost, few enough to share the work. */
const elementsPerChunk = 16_384;

/** Everything about the operands that the code depends on. */
interface Layout {
  /** Axes around the innermost one. */
  readonly outer: number;
  readonly slots: readonly Slot[];
}

/** Compiles and runs map kernels, one module for each kernel and layout. */
export class MapLauncher {
  readonly #runtime: WasmRuntime;
  readonly #variants: KernelVariants<MapKernel>;
  readonly #arguments = new ArgumentWriter();

  constructor(runtime: WasmRuntime) {
    this.#runtime = runtime;
    this.#variants = new KernelVariants(runtime);
  }

  /** The views have equal shapes, with axes collapsed so that few are left. */
  run(kernel: MapKernel, inputs: readonly View[], scalars: readonly number[], outputs: readonly View[]): void {
    const views = [...inputs, ...outputs];
    const shape = outputs[0]?.shape ?? [];
    const outer = shape.slice(0, -1);
    const length = shape.at(-1) ?? 1;
    const rows = outer.reduce((product, size) => product * size, 1);
    const args = this.#arguments.start().integer(length);
    for (const size of outer) args.integer(size);
    for (const view of views) {
      args.integer(addressOf(view));
      for (const stride of view.strides) args.integer(4 * stride);
      if (view.strides.length === 0) throw new SluiceError('internal', { rule: 'a map runs over at least one axis' });
    }
    for (const scalar of scalars) args.float(scalar);
    const [count, grain] =
      outer.length === 0 ? [length, elementsPerChunk] : [rows, Math.max(1, Math.ceil(elementsPerChunk / length))];
    const id = this.#variants.find(kernel, `${outer.length} ${slotsKey(views)}`, (f) => {
      const layout = { outer: outer.length, slots: views.map(slotOf) };
      new MapEmitter(f, kernel, layout, this.#runtime.relaxed).emit();
    });
    this.#runtime.launch(id, args.words, count, grain);
  }
}

/** An operand as the launch gives it: where it starts, and bytes from one index to the next along each axis. */
interface Placement extends Slot {
  readonly base: Local<'i32'>;
  readonly outerStrides: readonly Local<'i32'>[];
  readonly stride: Local<'i32'>;
  readonly address: Local<'i32'>;
}

class MapEmitter {
  readonly #f: FunctionBuilder;
  readonly #kernel: MapKernel;
  readonly #layout: Layout;
  readonly #printer: LanePrinter;
  readonly #outputs: readonly Expression[];

  constructor(f: FunctionBuilder, kernel: MapKernel, layout: Layout, relaxed: boolean) {
    this.#f = f;
    this.#kernel = kernel;
    this.#layout = layout;
    const types = layout.slots.map((slot) => slot.type);
    const { type, outputs } = lowerToLanes(kernel, types);
    this.#outputs = outputs;
    this.#printer = new LanePrinter(f, laneTypes[type], relaxed);
  }

  emit(): void {
    const f = this.#f;
    const reader = new ArgumentReader(f, f.parameter(0, 'i32'));
    const length = reader.integer();
    const outerSizes = Array.from({ length: this.#layout.outer }, () => reader.integer());
    const placements = this.#layout.slots.map(
      (slot): Placement => ({
        ...slot,
        base: reader.integer(),
        outerStrides: outerSizes.map(() => reader.integer()),
        stride: reader.integer(),
        address: f.local('i32'),
      }),
    );
    const scalars = new Map<Expression, Vector>(
      this.#kernel.scalars.map((name) => [variable(name), reader.splat(this.#printer.type)]),
    );
    this.#printer.hoistConstants(this.#outputs);
    const [begin, end] = [f.parameter(1, 'i32'), f.parameter(2, 'i32')];
    if (outerSizes.length === 0) {
      for (const { address, base, stride } of placements) {
        f.get(base, begin, stride);
        f.op('i32.mul', 'i32.add');
        f.set(address);
      }
      const count = f.local('i32');
      f.get(end, begin);
      f.op('i32.sub');
      f.set(count);
      this.#emitRun(count, placements, scalars);
      return;
    }
    const row = f.local('i32');
    const count = f.local('i32');
    f.forRange(row, begin, end, 1, () => {
      this.#emitRowAddresses(row, outerSizes, placements);
      f.get(length);
      f.set(count);
      this.#emitRun(count, placements, scalars);
    });
  }

  /** The first element of a row: its number taken apart into the indices of the outer axes. */
  #emitRowAddresses(row: Local<'i32'>, sizes: readonly Local<'i32'>[], placements: readonly Placement[]): void {
    const f = this.#f;
    const [rest, index] = [f.local('i32'), f.local('i32')];
    f.get(row);
    f.set(rest);
    for (const { base, address } of placements) {
      f.get(base);
      f.set(address);
    }
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      const size = sizes[axis];
      if (size === undefined) continue;
      f.get(rest);
      if (axis > 0) {
        f.get(size);
        f.op('i32.rem_u');
        f.set(index);
        f.get(rest, size);
        f.op('i32.div_u');
        f.set(rest);
      } else f.set(index);
      for (const { address, outerStrides } of placements) {
        const stride = outerStrides[axis];
        if (stride === undefined) continue;
        f.get(address, index, stride);
        f.op('i32.mul', 'i32.add');
        f.set(address);
      }
    }
  }

  /** `count` elements from the addresses on: groups of four, then one by one. */
  #emitRun(count: Local<'i32'>, placements: readonly Placement[], scalars: ReadonlyMap<Expression, Vector>): void {
    for (const size of [4, 1] as const) {
      const f = this.#f;
      f.block((exit) => {
        f.loop((again) => {
          f.get(count);
          f.i32(size);
          f.op('i32.lt_s');
          f.branchIf(exit);
          this.#emitGroup(size, placements, scalars);
          f.get(count);
          f.i32(size);
          f.op('i32.sub');
          f.set(count);
          f.branch(again);
        });
      });
    }
  }

  #emitGroup(size: GroupSize, placements: readonly Placement[], scalars: ReadonlyMap<Expression, Vector>): void {
    const f = this.#f;
    const { inputs } = this.#kernel;
    const lanes = this.#printer.type;
    const operands = placements.map((placement): Operand => placement);
    const loaded = operands.slice(0, inputs.length).map((operand) => loadGroup(f, lanes, operand, size));
    const results: Vector[][] = this.#outputs.map(() => []);
    for (let half = 0; half < vectorsPerGroup(lanes, size); half++) {
      const known = new Map(scalars);
      inputs.forEach((name, i) => {
        const vector = loaded[i]?.[half];
        if (vector !== undefined) known.set(variable(name), vector);
      });
      this.#printer.evaluate(this.#outputs, known).forEach((vector, i) => {
        results[i]?.push(vector);
      });
    }
    operands.slice(inputs.length).forEach((operand, i) => {
      storeGroup(f, lanes, operand, size, results[i] ?? []);
    });
    for (const { address, stride, spread } of placements) {
      if (spread === 'repeated') continue;
      f.get(address, stride);
      f.i32(size);
      f.op('i32.mul', 'i32.add');
      f.set(address);
    }
  }
}
