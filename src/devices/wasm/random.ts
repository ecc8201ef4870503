import { SluiceError } from '../../base/errors.js';
import { parity, type RandomKey, rotations } from '../../base/random.js';
import { ArgumentReader } from './arguments.js';
import type { FunctionBuilder, ModuleBuilder } from './assembler.js';
import type { Vector } from './lanes.js';
import type { WasmRuntime } from './runtime.js';

/** Four blocks of Threefry side by side give eight numbers. */
export const uniformsPerItem = 8;
const itemsPerChunk = 1024;

/** Uniform numbers in [0, 1) from an address on, as `randomUniform` gives them; `items` groups of eight. */
export function fillUniform(runtime: WasmRuntime, key: RandomKey, address: number, items: number): void {
  runtime.launch(runtime.kernel('uniform', emitUniform), [address, key.k0, key.k1], items, itemsPerChunk);
}

function emitUniform(module: ModuleBuilder): void {
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const reader = new ArgumentReader(f, f.parameter(0, 'i32'));
  const base = reader.integer();
  const words = [reader.integer(), reader.integer()];
  const keys = words.map((word) => {
    const splat = f.local('v128');
    f.get(word);
    f.op('i32x4.splat');
    f.set(splat);
    return splat;
  });
  const [k0, k1] = keys;
  const third = f.local('v128');
  if (k0 === undefined || k1 === undefined) throw new SluiceError('internal', { rule: 'a key has two words' });
  f.get(k0, k1);
  f.op('v128.xor');
  f.i32x4(parity);
  f.op('v128.xor');
  f.set(third);
  const [item, address] = [f.local('i32'), f.local('i32')];
  f.forRange(item, f.parameter(1, 'i32'), f.parameter(2, 'i32'), 1, () => {
    f.get(item);
    f.i32(4 * uniformsPerItem);
    f.op('i32.mul');
    f.get(base);
    f.op('i32.add');
    f.set(address);
    const [x0, x1] = [f.local('v128'), f.local('v128')];
    f.get(item);
    f.i32(4);
    f.op('i32.mul', 'i32x4.splat');
    f.v128(new Uint8Array(new Int32Array([0, 1, 2, 3]).buffer));
    f.op('i32x4.add');
    f.get(k0);
    f.op('i32x4.add');
    f.set(x0);
    f.get(k1); // the counter's upper word is 0: no tensor has 2^33 elements
    f.set(x1);
    emitRounds(f, x0, x1, [k0, k1, third]);
    for (const [half, lanes] of (
      [
        [0, 4, 1, 5],
        [2, 6, 3, 7],
      ] as const
    ).entries()) {
      f.get(address, x0, x1);
      f.shuffle32([...lanes]);
      f.i32(8);
      f.op('i32x4.shr_u', 'f32x4.convert_i32x4_u');
      f.f32x4(2 ** -24);
      f.op('f32x4.mul');
      f.store('v128.store', 16 * half);
    }
  });
}

/** The twenty rounds, keys mixed in after every fourth. */
function emitRounds(f: FunctionBuilder, x0: Vector, x1: Vector, keys: readonly Vector[]): void {
  for (let group = 0; group < 5; group++) {
    for (let round = 0; round < 4; round++) {
      const bits = rotations[(group % 2) * 4 + round] ?? 0;
      f.get(x0, x1);
      f.op('i32x4.add');
      f.set(x0);
      f.get(x1);
      f.i32(bits);
      f.op('i32x4.shl');
      f.get(x1);
      f.i32(32 - bits);
      f.op('i32x4.shr_u', 'v128.or');
      f.get(x0);
      f.op('v128.xor');
      f.set(x1);
    }
    addKey(f, x0, keys[(group + 1) % 3], 0);
    addKey(f, x1, keys[(group + 2) % 3], group + 1);
  }
}

function addKey(f: FunctionBuilder, x: Vector, key: Vector | undefined, injected: number): void {
  if (key === undefined) return;
  f.get(x, key);
  f.op('i32x4.add');
  if (injected > 0) {
    f.i32x4(injected);
    f.op('i32x4.add');
  }
  f.set(x);
}
