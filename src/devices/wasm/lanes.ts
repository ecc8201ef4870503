import { SluiceError } from '../../base/errors.js';
import { type Expression, reachable } from '../../scalar/expression.js';
import { type Fused, fusable, pending } from '../../scalar/fusion.js';
import { primitives } from '../../scalar/primitives.js';
import type { LaneStep } from '../../scalar/row.js';
import type { ComputeType } from '../lanes.js';
import type { FunctionBuilder, Local } from './assembler.js';
import type { PlainOp } from './opcodes.js';

/** The type that lanes compute in. Kernels work on groups of four elements: one f32x4 or two f64x2. */
export type LaneType = 'f32x4' | 'f64x2';
export const laneTypes = { float32: 'f32x4', float64: 'f64x2' } as const satisfies Record<ComputeType, LaneType>;
export type Vector = Local<'v128'>;

/** Emits lane code for expressions that are already expanded to lane instructions. */
export class LanePrinter {
  readonly type: LaneType;
  readonly #f: FunctionBuilder;
  readonly #relaxed: boolean;
  readonly #constants = new Map<Expression, Vector>();

  constructor(f: FunctionBuilder, type: LaneType, relaxed: boolean) {
    this.#f = f;
    this.type = type;
    this.#relaxed = relaxed;
  }

  /** Puts every constant of the expressions into a local, to be called ahead of the loop. */
  hoistConstants(expressions: readonly Expression[]): void {
    for (const expression of reachable(expressions)) {
      if (expression.value === undefined || this.#constants.has(expression)) continue;
      this.#constants.set(expression, this.splat(expression.value));
    }
  }

  /** A local with the number in every lane. */
  splat(value: number): Vector {
    const local = this.#f.local('v128');
    this.#float(value);
    this.#f.set(local);
    return local;
  }

  /**
   * Emits one evaluation; `known` gives variables and whatever is computed already, and is not changed.
   * Returns a local for each output.
   */
  evaluate(outputs: readonly Expression[], known: ReadonlyMap<Expression, Vector>): Vector[] {
    const done = new Map([...this.#constants, ...known]);
    const order = pending(outputs, done);
    const fused = this.#relaxed ? fusable(order, outputs) : new Map<Expression, Fused>();
    const skipped = new Set([...fused.values()].map(({ product }) => product));
    for (const expression of order) {
      if (skipped.has(expression)) continue;
      const result = this.#f.local('v128');
      const fusion = fused.get(expression);
      if (fusion !== undefined) this.#emitFused(fusion, done);
      else this.#emit(expression, done);
      this.#f.set(result);
      done.set(expression, result);
    }
    return outputs.map((output) => operandOf(output, done));
  }

  #emit({ node }: Expression, done: ReadonlyMap<Expression, Vector>): void {
    if (node.kind !== 'apply')
      throw new SluiceError('internal', { rule: 'a lane program applies primitives', received: node.kind });
    const { lanes } = primitives[node.primitive];
    if (!('steps' in lanes))
      throw new SluiceError('internal', {
        rule: 'an expanded primitive is a lane instruction',
        received: node.primitive,
      });
    const [a, b] = node.operands;
    if ((node.primitive === 'min' || node.primitive === 'max') && a !== undefined && b !== undefined) {
      this.#emitExtremum(node.primitive, a, b, done);
      return;
    }
    const operands = node.operands.map((operand) => operandOf(operand, done));
    for (const step of lanes.steps) this.#step(step, operands);
  }

  /** One instruction where an operand is a constant: it keeps a NaN that comes first. */
  #emitExtremum(primitive: 'min' | 'max', a: Expression, b: Expression, done: ReadonlyMap<Expression, Vector>): void {
    const [first, second] = a.value === undefined ? [a, b] : [b, a];
    this.#f.get(operandOf(first, done), operandOf(second, done));
    this.#lane(second.value === undefined ? primitive : `p${primitive}`);
  }

  #emitFused({ kind, a, b, c }: Fused, done: ReadonlyMap<Expression, Vector>): void {
    this.#f.get(operandOf(a, done), operandOf(b, done), operandOf(c, done));
    this.#lane(kind === 'madd' ? 'relaxed_madd' : 'relaxed_nmadd');
  }

  #step(step: LaneStep, operands: readonly Vector[]): void {
    if (typeof step === 'number') {
      const operand = operands[step];
      if (operand !== undefined) this.#f.get(operand);
    } else if (typeof step === 'string') {
      if (step.includes('.')) this.#f.op(step as PlainOp);
      else this.#lane(step);
    } else if ('float' in step) this.#float(step.float);
    else if ('bits' in step) this.#f.i64x2(step.bits);
    else this.#f.i32(step.shift);
  }

  #lane(name: string): void {
    this.#f.op(`${this.type}.${name}` as PlainOp);
  }

  #float(value: number): void {
    if (this.type === 'f64x2') this.#f.f64x2(value);
    else this.#f.f32x4(value);
  }
}

function operandOf(expression: Expression, done: ReadonlyMap<Expression, Vector>): Vector {
  const local = done.get(expression);
  if (local === undefined)
    throw new SluiceError('internal', { rule: 'a lane program has every operand computed before its use' });
  return local;
}
