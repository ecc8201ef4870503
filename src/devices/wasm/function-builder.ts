import { SluiceError } from '../../base/errors.js';
import { append, signed, unsigned, vector } from './binary.js';
import type { AtomicOp, LaneMemoryOp, LaneOp, LoadOp, PlainOp, StoreOp, ValueType } from './opcodes.js';
import { atomicOps, laneMemoryOps, laneOps, loadOps, plainOpcode, storeOps, valueTypes } from './opcodes.js';

/** A parameter or a local variable of one function. */
export interface Local<T extends ValueType = ValueType> {
  readonly index: number;
  readonly type: T;
}

/** A place to branch to: the end of a block, the start of a loop. */
export interface Label {
  readonly depth: number;
}

export interface FunctionOptions {
  /** The name under which the module exports it; without one it is internal. */
  readonly name?: string;
  readonly parameters?: readonly ValueType[];
  readonly results?: readonly ValueType[];
}

const emptyBlock = 0x40;

/** Emits the body of one function; instructions come in WebAssembly's own (stack) order. */
export class FunctionBuilder {
  readonly index: number;
  readonly options: FunctionOptions;
  readonly parameters: readonly Local[];
  private readonly localTypes: ValueType[] = [];
  private readonly code: number[] = [];
  private depth = 0;

  constructor(index: number, options: FunctionOptions) {
    this.index = index;
    this.options = options;
    this.parameters = (options.parameters ?? []).map((type, position) => ({ index: position, type }));
  }

  /** Parameter `position`, which must be of type `type`. */
  parameter<T extends ValueType>(position: number, type: T): Local<T> {
    const found = this.parameters[position];
    if (found?.type !== type)
      throw new SluiceError('internal', { rule: `parameter ${position} is of type ${type}`, received: found?.type });
    return { index: position, type };
  }

  /** A new local variable; it starts as zero. */
  local<T extends ValueType>(type: T): Local<T> {
    this.localTypes.push(type);
    return { index: this.parameters.length + this.localTypes.length - 1, type };
  }

  /** The parameters, all i32, under names. */
  named<N extends string>(...names: readonly N[]): Readonly<Record<N, Local<'i32'>>> {
    if (names.length !== this.parameters.length)
      throw new SluiceError('internal', {
        rule: `${this.parameters.length} parameters have a name each`,
        received: names,
      });
    const entries = names.map((name, position) => [name, this.parameter(position, 'i32')] as const);
    return Object.fromEntries(entries) as Record<N, Local<'i32'>>;
  }

  /** New local variables of one type under names. */
  locals<T extends ValueType, N extends string>(type: T, ...names: readonly N[]): Readonly<Record<N, Local<T>>> {
    return Object.fromEntries(names.map((name) => [name, this.local(type)] as const)) as Record<N, Local<T>>;
  }

  get(...locals: readonly Local[]): void {
    for (const local of locals) this.withIndex(0x20, local.index);
  }

  set(local: Local): void {
    this.withIndex(0x21, local.index);
  }

  tee(local: Local): void {
    this.withIndex(0x22, local.index);
  }

  /** Instructions without immediates, in order. */
  op(...names: readonly PlainOp[]): void {
    for (const name of names) this.opcode(plainOpcode(name));
  }

  /** A constant; any integer in [-2^31, 2^32) is taken by its low 32 bits. */
  i32(value: number): void {
    this.code.push(0x41);
    signed(this.code, BigInt(value | 0));
  }

  i64(value: bigint): void {
    this.code.push(0x42);
    signed(this.code, BigInt.asIntN(64, value));
  }

  f32(value: number): void {
    this.code.push(0x43);
    append(this.code, new Uint8Array(new Float32Array([value]).buffer));
  }

  f64(value: number): void {
    this.code.push(0x44);
    append(this.code, new Uint8Array(new Float64Array([value]).buffer));
  }

  /** A constant of 16 bytes. */
  v128(bytes: Uint8Array): void {
    if (bytes.length !== 16)
      throw new SluiceError('internal', { rule: 'a v128 constant has 16 bytes', received: bytes.length });
    this.opcode(0xfd000c);
    append(this.code, bytes);
  }

  /** The same number in all four lanes. */
  f32x4(value: number): void {
    this.v128(new Uint8Array(new Float32Array(4).fill(value).buffer));
  }

  f64x2(value: number): void {
    this.v128(new Uint8Array(new Float64Array(2).fill(value).buffer));
  }

  i32x4(value: number): void {
    this.v128(new Uint8Array(new Int32Array(4).fill(value).buffer));
  }

  i64x2(value: bigint): void {
    this.v128(new Uint8Array(new BigInt64Array(2).fill(value).buffer));
  }

  /** Reads at the address on the stack plus `offset` bytes. `align` is log2 of bytes and only a hint. */
  load(op: LoadOp, offset = 0, align: number = loadOps[op][1]): void {
    this.memory(loadOps[op][0], align, offset);
  }

  /** Writes the value on the stack at the address under it plus `offset` bytes. */
  store(op: StoreOp, offset = 0, align: number = storeOps[op][1]): void {
    this.memory(storeOps[op][0], align, offset);
  }

  atomic(op: AtomicOp, offset = 0): void {
    this.memory(atomicOps[op][0], atomicOps[op][1], offset);
  }

  /** Loads into, or stores from, one lane of the vector on the stack. */
  laneMemory(op: LaneMemoryOp, lane: number, offset = 0): void {
    this.memory(laneMemoryOps[op][0], laneMemoryOps[op][1], offset);
    this.code.push(lane);
  }

  lane(op: LaneOp, lane: number): void {
    this.opcode(laneOps[op]);
    this.code.push(lane);
  }

  /** `i8x16.shuffle`: 16 byte numbers, 0 to 15 from the first operand and 16 to 31 from the second. */
  shuffle(bytes: readonly number[]): void {
    if (bytes.length !== 16)
      throw new SluiceError('internal', { rule: 'a shuffle has 16 byte numbers', received: bytes.length });
    this.opcode(0xfd000d);
    append(this.code, bytes);
  }

  /** A shuffle of 32-bit lanes: 0 to 3 from the first operand, 4 to 7 from the second. */
  shuffle32(lanes: readonly [number, number, number, number]): void {
    this.shuffle(lanes.flatMap((lane) => [4 * lane, 4 * lane + 1, 4 * lane + 2, 4 * lane + 3]));
  }

  /** `memory.fill`: address, byte value, length in bytes. */
  memoryFill(): void {
    append(this.code, [0xfc, 0x0b, 0]);
  }

  /** `memory.copy`: destination, source, length in bytes. */
  memoryCopy(): void {
    append(this.code, [0xfc, 0x0a, 0, 0]);
  }

  call(callee: FunctionBuilder): void {
    this.withIndex(0x10, callee.index);
  }

  /** Branching to its label leaves it. */
  block(body: (label: Label) => void): void {
    this.nest(0x02, body);
  }

  /** Branching to its label starts it again. */
  loop(body: (label: Label) => void): void {
    this.nest(0x03, body);
  }

  /** Takes an i32 condition from the stack. */
  if(then: () => void, otherwise?: () => void): void {
    this.nest(0x04, () => {
      then();
      if (otherwise === undefined) return;
      this.code.push(0x05);
      otherwise();
    });
  }

  branch(label: Label): void {
    this.withIndex(0x0c, this.depth - label.depth);
  }

  /** Branches when the i32 on the stack is not zero. */
  branchIf(label: Label): void {
    this.withIndex(0x0d, this.depth - label.depth);
  }

  /**
   * Counts from `begin` up to, not including, `end` in steps of `step`, which is positive; signed numbers.
   * `end` is read again in every turn, and the body may move the counter.
   */
  forRange(
    counter: Local<'i32'>,
    begin: Local<'i32'> | number,
    end: Local<'i32'> | number,
    step: Local<'i32'> | number,
    body: () => void,
  ): void {
    this.count('i32.ge_s', 'i32.lt_s', counter, begin, end, step, body);
  }

  /** `forRange` over addresses, which are unsigned: past 2 GiB a signed comparison would be wrong. */
  forAddresses(
    counter: Local<'i32'>,
    begin: Local<'i32'> | number,
    end: Local<'i32'> | number,
    step: Local<'i32'> | number,
    body: () => void,
  ): void {
    this.count('i32.ge_u', 'i32.lt_u', counter, begin, end, step, body);
  }

  /** The body as the code section holds it. */
  bytes(): number[] {
    const out: number[] = [];
    vector(
      out,
      this.localTypes.map((type) => [1, valueTypes[type]]),
    );
    append(out, this.code);
    out.push(0x0b);
    const sized: number[] = [];
    unsigned(sized, out.length);
    append(sized, out);
    return sized;
  }

  private count(
    stop: PlainOp,
    again: PlainOp,
    counter: Local<'i32'>,
    begin: Local<'i32'> | number,
    end: Local<'i32'> | number,
    step: Local<'i32'> | number,
    body: () => void,
  ): void {
    this.value(begin);
    this.set(counter);
    this.block((exit) => {
      this.get(counter);
      this.value(end);
      this.op(stop);
      this.branchIf(exit);
      this.loop((next) => {
        body();
        this.get(counter);
        this.value(step);
        this.op('i32.add');
        this.tee(counter);
        this.value(end);
        this.op(again);
        this.branchIf(next);
      });
    });
  }

  private value(value: Local<'i32'> | number): void {
    if (typeof value === 'number') this.i32(value);
    else this.get(value);
  }

  private nest(opcode: number, body: (label: Label) => void): void {
    this.code.push(opcode, emptyBlock);
    this.depth += 1;
    body({ depth: this.depth });
    this.depth -= 1;
    this.code.push(0x0b);
  }

  private opcode(opcode: number): void {
    if (opcode < 0x100) {
      this.code.push(opcode);
      return;
    }
    this.code.push(opcode >>> 16);
    unsigned(this.code, opcode & 0xffff);
  }

  private memory(opcode: number, align: number, offset: number): void {
    this.opcode(opcode);
    unsigned(this.code, align);
    unsigned(this.code, offset);
  }

  private withIndex(opcode: number, index: number): void {
    this.code.push(opcode);
    unsigned(this.code, index);
  }
}
