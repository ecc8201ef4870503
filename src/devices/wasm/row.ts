import { SluiceError } from '../../base/errors.js';
import { elementVariables, type RowKernel } from '../../kernels/kernel.js';
import { type Extent, extents } from '../../scalar/differentiate.js';
import { type Expression, reachable, reductions } from '../../scalar/expression.js';
import type { RowArguments, StorageType } from '../device.js';
import { lowerToLanes } from '../lanes.js';
import { reductionLevels } from '../reduction-levels.js';
import type { FunctionBuilder, Local } from './assembler.js';
import { type GroupSize, storeGroup, vectorsPerGroup } from './groups.js';
import { LanePrinter, type LaneType, laneTypes, type Vector } from './lanes.js';
import type { PlainOp } from './opcodes.js';
import { RowOperandReader, rowWords, storageTypes } from './row-operands.js';
import type { WasmRuntime } from './runtime.js';
import { KernelVariants } from './variants.js';

const elementsPerChunk = 8192;

/** Compiles and runs row kernels: a row is one work item. */
export class RowLauncher {
  readonly #runtime: WasmRuntime;
  readonly #variants: KernelVariants<RowKernel>;

  constructor(runtime: WasmRuntime) {
    this.#runtime = runtime;
    this.#variants = new KernelVariants(runtime);
  }

  run(kernel: RowKernel, operands: RowArguments): void {
    const { rows, length } = operands;
    const types = storageTypes(operands);
    const id = this.#variants.find(kernel, types.join(), (f) =>
      new RowEmitter(f, kernel, types, this.#runtime.relaxed).emit(),
    );
    const grain = Math.max(1, Math.ceil(elementsPerChunk / Math.max(1, length)));
    this.#runtime.launch(id, rowWords(operands), rows, grain);
  }
}

/** A reduction and the vectors that collect it, one per vector of a group. */
interface Accumulator {
  readonly reduction: Expression;
  readonly vectors: readonly Vector[];
}

class RowEmitter {
  readonly #f: FunctionBuilder;
  readonly #printer: LanePrinter;
  readonly #outputs: readonly Expression[];
  readonly #extent: ReadonlyMap<Expression, Extent>;
  readonly #reader: RowOperandReader;
  readonly #row: Local<'i32'>;

  constructor(f: FunctionBuilder, kernel: RowKernel, types: readonly StorageType[], relaxed: boolean) {
    this.#f = f;
    const { type, outputs } = lowerToLanes({ outputs: kernel.outputs }, types);
    this.#outputs = outputs;
    this.#extent = extents(this.#outputs, elementVariables(kernel));
    this.#printer = new LanePrinter(f, laneTypes[type], relaxed);
    this.#reader = new RowOperandReader(f, this.#printer, kernel, types, kernel.outputs.length);
    this.#row = f.local('i32');
  }

  /** One pass over the row for each level of reductions that need each other, then one for the outputs. */
  emit(): void {
    const f = this.#f;
    this.#printer.hoistConstants(this.#outputs);
    const levels = reductionLevels(this.#outputs);
    f.forRange(this.#row, f.parameter(1, 'i32'), f.parameter(2, 'i32'), 1, () => {
      const known = new Map([...this.#reader.constants, ...this.#reader.loadRow(this.#row)]);
      for (const level of levels) this.#emitReductions(level, known);
      this.#emitOutputs(known);
    });
  }

  /** Computes ahead of a loop what has one value for the row. */
  #prepare(expressions: readonly Expression[], known: Map<Expression, Vector>): void {
    const once = reachable(expressions).filter(
      (expression) => this.#extent.get(expression) === 'row' && isReady(expression, known),
    );
    this.#printer.evaluate(once, known).forEach((vector, i) => {
      const expression = once[i];
      if (expression !== undefined) known.set(expression, vector);
    });
  }

  #emitReductions(level: readonly Expression[], known: Map<Expression, Vector>): void {
    const operands = level.map(({ operands: [operand] }) => operand).filter((operand) => operand !== undefined);
    this.#prepare(operands, known);
    const accumulators = level.map((reduction): Accumulator => {
      const { identity } = reductionOf(reduction);
      const count = vectorsPerGroup(this.#printer.type, 4);
      return { reduction, vectors: Array.from({ length: count }, () => this.#printer.splat(identity)) };
    });
    this.#emitLoop(operands, known, (size, halves) => {
      halves.forEach((values, half) => {
        accumulators.forEach(({ reduction, vectors }, i) => {
          const [vector, value] = [vectors[half], values[i]];
          if (vector !== undefined && value !== undefined) this.#accumulate(reduction, vector, value, size);
        });
      });
    });
    for (const { reduction, vectors } of accumulators) known.set(reduction, this.#collapse(reduction, vectors));
  }

  #accumulate(reduction: Expression, into: Vector, value: Vector, size: GroupSize): void {
    const f = this.#f;
    f.get(into, value);
    if (size === 1) {
      // Only the first lane holds an element; the others get the identity.
      const { identity } = reductionOf(reduction);
      f.get(this.#printer.splat(identity));
      f.v128(firstLane(this.#printer.type));
      f.op('v128.bitselect');
    }
    this.#combine(reduction);
    f.set(into);
  }

  #combine(reduction: Expression): void {
    this.#f.op(`${this.#printer.type}.${reductionOf(reduction).combine}` as PlainOp);
  }

  /** One number from all lanes, in every lane. */
  #collapse(reduction: Expression, vectors: readonly Vector[]): Vector {
    const f = this.#f;
    const total = f.local('v128');
    vectors.forEach((vector, i) => {
      f.get(vector);
      if (i > 0) this.#combine(reduction);
    });
    f.set(total);
    const swaps: [number, number, number, number][] =
      this.#printer.type === 'f64x2'
        ? [[2, 3, 0, 1]]
        : [
            [2, 3, 0, 1],
            [1, 0, 3, 2],
          ];
    for (const swap of swaps) {
      f.get(total, total, total);
      f.shuffle32(swap);
      this.#combine(reduction);
      f.set(total);
    }
    return total;
  }

  #emitOutputs(known: Map<Expression, Vector>): void {
    const f = this.#f;
    this.#prepare(this.#outputs, known);
    this.#outputs.forEach((output, i) => {
      const matrix = this.#reader.outputs[i];
      if (this.#extent.get(output) !== 'row' || matrix === undefined) return;
      const [vector] = this.#printer.evaluate([output], known);
      if (vector === undefined) return;
      const address = this.#reader.rowAddress(matrix, this.#row);
      storeGroup(f, this.#printer.type, { type: 'float32', spread: 'contiguous', address }, 1, [vector]);
    });
    const elements = this.#outputs.flatMap((output, i) =>
      this.#extent.get(output) === 'element' ? [{ output, i }] : [],
    );
    if (elements.length === 0) return;
    this.#emitLoop(
      elements.map(({ output }) => output),
      known,
      (size, halves, index) => {
        elements.forEach(({ i }, position) => {
          const matrix = this.#reader.outputs[i];
          if (matrix === undefined) return;
          const address = this.#reader.elementAddress(matrix, this.#row, index);
          const vectors = halves.map((values) => values[position]).filter((vector) => vector !== undefined);
          storeGroup(f, this.#printer.type, { type: 'float32', spread: 'contiguous', address }, size, vectors);
        });
      },
    );
  }

  /** Evaluates along the row, in groups of four and then one by one; `body` gets the values of each vector. */
  #emitLoop(
    expressions: readonly Expression[],
    known: ReadonlyMap<Expression, Vector>,
    body: (size: GroupSize, halves: Vector[][], index: Local<'i32'>) => void,
  ): void {
    const f = this.#f;
    const used = new Set(reachable(expressions));
    const [index, groups] = [f.local('i32'), f.local('i32')];
    f.get(this.#reader.length);
    f.i32(-4);
    f.op('i32.and');
    f.set(groups);
    for (const size of [4, 1] as const) {
      const [begin, end] = size === 4 ? [0, groups] : [groups, this.#reader.length];
      f.forRange(index, begin, end, size, () => {
        const halves = this.#reader
          .loadElements(used, this.#row, index, size)
          .map((elements) => this.#printer.evaluate(expressions, new Map([...known, ...elements])));
        body(size, halves, index);
      });
    }
  }
}

function reductionOf({ node }: Expression): (typeof reductions)[keyof typeof reductions] {
  if (node.kind !== 'reduce') throw new SluiceError('internal', { rule: 'a reduction is a reduce node' });
  return reductions[node.reduction];
}

const firstLane = (type: LaneType): Uint8Array =>
  Uint8Array.from({ length: 16 }, (_, byte) => (byte < (type === 'f64x2' ? 8 : 4) ? 0xff : 0));

/** Whether everything it is made of is computed, or can be from what is. */
function isReady(expression: Expression, known: ReadonlyMap<Expression, Vector>): boolean {
  if (known.has(expression) || expression.value !== undefined) return true;
  return expression.node.kind === 'apply' && expression.operands.every((operand) => isReady(operand, known));
}
