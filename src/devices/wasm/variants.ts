import { Variants } from '../variants.js';
import type { FunctionBuilder } from './assembler.js';
import type { WasmRuntime } from './runtime.js';

/** The modules compiled for kernels: one for each kernel and layout of its operands, for as long as the kernel lives. */
export class KernelVariants<Kernel extends object> {
  readonly #runtime: WasmRuntime;
  readonly #compiled = new Variants<Kernel, number>();

  constructor(runtime: WasmRuntime) {
    this.#runtime = runtime;
  }

  /** The number to launch; `emit` writes the body of `run` the first time. */
  find(kernel: Kernel, layout: string, emit: (run: FunctionBuilder) => void): number {
    return this.#compiled.find(kernel, layout, () => {
      const module = this.#runtime.module();
      emit(module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] }));
      return this.#runtime.compile(module.bytes());
    });
  }
}
