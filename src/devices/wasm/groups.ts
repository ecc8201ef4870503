import type { StorageType } from '../device.js';
import type { Spread } from '../variants.js';
import type { FunctionBuilder, Local } from './assembler.js';
import type { LaneType, Vector } from './lanes.js';

export interface Operand {
  readonly type: StorageType;
  readonly spread: Spread;
  /** The address of the group's first element. */
  readonly address: Local<'i32'>;
  /** Bytes from one element to the next, when strided. */
  readonly stride?: Local<'i32'>;
}

/** A whole group of four elements, or the first one alone (the rest of a row that is no multiple of four). */
export type GroupSize = 4 | 1;

/** The vectors that hold a group: one f32x4, or two f64x2. */
export const vectorsPerGroup = (type: LaneType, size: GroupSize): number => (type === 'f64x2' && size === 4 ? 2 : 1);

/** Emits the loading of a group; a single element leaves rubbish in the other lanes. */
export function loadGroup(f: FunctionBuilder, lanes: LaneType, operand: Operand, size: GroupSize): Vector[] {
  const raw = f.local('v128');
  loadRaw(f, operand, size);
  f.set(raw);
  return widen(f, lanes, operand.type, raw, vectorsPerGroup(lanes, size));
}

function loadRaw(f: FunctionBuilder, { address, spread, stride }: Operand, size: GroupSize): void {
  f.get(address);
  if (spread === 'repeated') f.load('v128.load32_splat');
  else if (size === 1) f.load('v128.load32_zero');
  else if (spread === 'contiguous') f.load('v128.load');
  else {
    const vector = f.local('v128');
    f.load('v128.load32_zero');
    f.set(vector);
    for (const lane of [1, 2, 3]) {
      elementAddress(f, address, stride, lane);
      f.get(vector);
      f.laneMemory('v128.load32_lane', lane);
      f.set(vector);
    }
    f.get(vector);
  }
}

function elementAddress(
  f: FunctionBuilder,
  address: Local<'i32'>,
  stride: Local<'i32'> | undefined,
  element: number,
): void {
  f.get(address);
  if (stride === undefined) f.i32(4 * element);
  else {
    f.get(stride);
    f.i32(element);
    f.op('i32.mul');
  }
  f.op('i32.add');
}

/** From stored lanes to compute lanes. */
function widen(f: FunctionBuilder, lanes: LaneType, type: StorageType, raw: Vector, count: number): Vector[] {
  if (lanes === 'f32x4' && type === 'float32') return [raw];
  return Array.from({ length: count }, (_, half) => {
    const vector = f.local('v128');
    f.get(raw);
    if (half === 1) {
      f.get(raw);
      f.shuffle32([2, 3, 2, 3]);
    }
    if (lanes === 'f32x4') f.op('f32x4.convert_i32x4_s');
    else f.op(type === 'float32' ? 'f64x2.promote_low_f32x4' : 'f64x2.convert_low_i32x4_s');
    f.set(vector);
    return vector;
  });
}

/** Emits the storing of a group. */
export function storeGroup(
  f: FunctionBuilder,
  lanes: LaneType,
  operand: Operand,
  size: GroupSize,
  vectors: readonly Vector[],
): void {
  const raw = f.local('v128');
  narrow(f, lanes, operand.type, vectors);
  f.set(raw);
  if (size === 4 && operand.spread === 'contiguous') {
    f.get(operand.address, raw);
    f.store('v128.store');
    return;
  }
  for (let lane = 0; lane < size; lane++) {
    elementAddress(f, operand.address, operand.stride, lane);
    f.get(raw);
    f.laneMemory('v128.store32_lane', lane);
  }
}

/** From compute lanes to stored ones, on the stack. */
function narrow(f: FunctionBuilder, lanes: LaneType, type: StorageType, vectors: readonly Vector[]): void {
  for (const vector of vectors) {
    f.get(vector);
    if (lanes === 'f64x2') f.op(type === 'float32' ? 'f32x4.demote_f64x2_zero' : 'i32x4.trunc_sat_f64x2_s_zero');
    else if (type === 'int32') f.op('i32x4.trunc_sat_f32x4_s');
  }
  if (vectors.length === 2) f.shuffle32([0, 1, 4, 5]);
}
