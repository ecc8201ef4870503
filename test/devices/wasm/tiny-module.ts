import type { FunctionBuilder } from '../../../src/devices/wasm/assembler.js';
import { ModuleBuilder } from '../../../src/devices/wasm/assembler.js';
import type { ValueType } from '../../../src/devices/wasm/opcodes.js';

export const memoryType = { shared: false, minimumPages: 1, maximumPages: 4 } as const;

/** A module of one exported function, and its memory. */
export function build(body: (f: FunctionBuilder) => void, parameters: ValueType[] = [], results: ValueType[] = []) {
  const module = new ModuleBuilder({ memory: memoryType });
  body(module.function({ name: 'run', parameters, results }));
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 4 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { env: { memory } });
  return { run: (instance.exports as { run: (...values: number[]) => number }).run, memory };
}
