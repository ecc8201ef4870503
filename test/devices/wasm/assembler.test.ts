import { describe, expect, test } from 'vitest';
import { ModuleBuilder } from '../../../src/devices/wasm/assembler.js';
import { build, memoryType } from './tiny-module.js';

describe('constants', () => {
  test('integers keep their value over the whole range', () => {
    for (const value of [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, -8192, 2 ** 31 - 1, -(2 ** 31)])
      expect(build((f) => f.i32(value), [], ['i32']).run()).toBe(value);
    expect(build((f) => f.i32(0xffff_fff0), [], ['i32']).run()).toBe(-16);
  });

  test('floats keep their value, with the sign of zero', () => {
    for (const value of [0, -0, 1.5, Math.PI, Number.POSITIVE_INFINITY, Number.NaN, 5e-324]) {
      expect(build((f) => f.f64(value), [], ['f64']).run()).toBe(value);
      expect(build((f) => f.f32(value), [], ['f32']).run()).toBe(Math.fround(value));
    }
  });

  test('a splat fills every lane', () => {
    const { run, memory } = build((f) => {
      f.i32(0);
      f.f32x4(1.5);
      f.store('v128.store');
      f.i32(0);
      f.f64x2(-2.25);
      f.store('v128.store', 16);
      f.i32(0);
      f.i32x4(-7);
      f.store('v128.store', 32);
    });
    run();
    expect([...new Float32Array(memory.buffer, 0, 4)]).toEqual([1.5, 1.5, 1.5, 1.5]);
    expect([...new Float64Array(memory.buffer, 16, 2)]).toEqual([-2.25, -2.25]);
    expect([...new Int32Array(memory.buffer, 32, 4)]).toEqual([-7, -7, -7, -7]);
  });
});

describe('control flow', () => {
  test('a counted loop sums its range, and an empty range does nothing', () => {
    const sum = build(
      (f) => {
        const counter = f.local('i32');
        const total = f.local('i32');
        f.forRange(counter, f.parameter(0, 'i32'), f.parameter(1, 'i32'), 3, () => {
          f.get(total, counter);
          f.op('i32.add');
          f.set(total);
        });
        f.get(total);
      },
      ['i32', 'i32'],
      ['i32'],
    ).run;
    expect(sum(0, 10)).toBe(0 + 3 + 6 + 9);
    expect(sum(5, 5)).toBe(0);
    expect(sum(0, -1)).toBe(0);
  });

  test('addresses above 2 GiB compare as unsigned', () => {
    const count = build(
      (f) => {
        const address = f.local('i32');
        const total = f.local('i32');
        f.forAddresses(address, f.parameter(0, 'i32'), f.parameter(1, 'i32'), 16, () => {
          f.get(total);
          f.i32(1);
          f.op('i32.add');
          f.set(total);
        });
        f.get(total);
      },
      ['i32', 'i32'],
      ['i32'],
    ).run;
    expect(count(0x7fff_fff0, 0x8000_0010)).toBe(2);
  });

  test('a branch leaves the block it names, from inside other blocks', () => {
    const { run } = build(
      (f) => {
        const result = f.local('i32');
        f.block((outer) => {
          f.loop((again) => {
            f.get(f.parameter(0, 'i32'));
            f.i32(100);
            f.op('i32.gt_s');
            f.if(() => f.branch(outer));
            f.get(f.parameter(0, 'i32'));
            f.i32(2);
            f.op('i32.mul');
            f.set(f.parameter(0, 'i32'));
            f.branch(again);
          });
        });
        f.get(f.parameter(0, 'i32'));
        f.set(result);
        f.get(result);
      },
      ['i32'],
      ['i32'],
    );
    expect(run(3)).toBe(192);
  });

  test('an if takes one of its two arms', () => {
    const { run } = build(
      (f) => {
        const result = f.local('i32');
        f.get(f.parameter(0, 'i32'));
        f.if(
          () => {
            f.i32(1);
            f.set(result);
          },
          () => {
            f.i32(2);
            f.set(result);
          },
        );
        f.get(result);
      },
      ['i32'],
      ['i32'],
    );
    expect([run(5), run(0)]).toEqual([1, 2]);
  });

  test('a function calls another of its module', () => {
    const module = new ModuleBuilder({ memory: memoryType });
    const square = module.function({ parameters: ['f64'], results: ['f64'] });
    square.get(square.parameter(0, 'f64'), square.parameter(0, 'f64'));
    square.op('f64.mul');
    const entry = module.function({ name: 'run', parameters: ['f64'], results: ['f64'] });
    entry.get(entry.parameter(0, 'f64'));
    entry.call(square);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 4 });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { env: { memory } });
    expect((instance.exports as { run: (x: number) => number }).run(1.5)).toBe(2.25);
    expect(Object.keys(instance.exports)).toEqual(['run']);
  });
});

describe('memory and lanes', () => {
  test('offsets, lanes, shuffles, fill and copy address what they name', () => {
    const { run, memory } = build((f) => {
      f.i32(0);
      f.i32(4);
      f.load('v128.load', 12);
      f.i32(4);
      f.load('v128.load', 12);
      f.shuffle32([3, 2, 1, 0]);
      f.store('v128.store', 64);
      f.i32(0);
      f.i32(16);
      f.load('v128.load32_splat', 4);
      f.lane('f32x4.extract_lane', 2);
      f.store('f32.store', 80);
      f.i32(100);
      f.i32(0xab);
      f.i32(3);
      f.memoryFill();
      f.i32(200);
      f.i32(16);
      f.i32(8);
      f.memoryCopy();
      f.i32(300);
      f.f32x4(0);
      f.laneMemory('v128.store32_lane', 1);
    });
    const floats = new Float32Array(memory.buffer);
    floats.set([1, 2, 3, 4], 4);
    floats[75] = 9;
    run();
    expect([...floats.slice(16, 21)]).toEqual([4, 3, 2, 1, 2]);
    expect([...new Uint8Array(memory.buffer, 99, 5)]).toEqual([0, 0xab, 0xab, 0xab, 0]);
    expect([...floats.slice(50, 53)]).toEqual([1, 2, 0]);
    expect(floats[75]).toBe(0);
  });

  test('a module for shared memory refuses a memory that is not shared', () => {
    const module = new ModuleBuilder({ memory: { shared: true, minimumPages: 1, maximumPages: 4 } });
    module.function({ name: 'run' });
    const compiled = new WebAssembly.Module(module.bytes());
    const shared = new WebAssembly.Memory({ initial: 1, maximum: 4, shared: true });
    expect(Object.keys(new WebAssembly.Instance(compiled, { env: { memory: shared } }).exports)).toEqual(['run']);
    const plain = new WebAssembly.Memory({ initial: 1, maximum: 4 });
    expect(() => new WebAssembly.Instance(compiled, { env: { memory: plain } })).toThrow(WebAssembly.LinkError);
  });
});
