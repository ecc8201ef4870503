import { append, unsigned, vector } from './binary.js';
import type { FunctionOptions } from './function-builder.js';
import { FunctionBuilder } from './function-builder.js';
import { valueTypes } from './opcodes.js';

export type { FunctionOptions, Local } from './function-builder.js';
export { FunctionBuilder } from './function-builder.js';

/** The memory a module imports as `env.memory`; it must fit the memory it is instantiated with. */
export interface MemoryType {
  readonly shared: boolean;
  /** In pages of 64 KiB. */
  readonly minimumPages: number;
  readonly maximumPages: number;
}

/** A WebAssembly module under construction: functions over one imported memory (`env.memory`). */
export class ModuleBuilder {
  readonly options: { readonly memory: MemoryType };
  private readonly functions: FunctionBuilder[] = [];

  constructor(options: { readonly memory: MemoryType }) {
    this.options = options;
  }

  function(options: FunctionOptions): FunctionBuilder {
    const builder = new FunctionBuilder(this.functions.length, options);
    this.functions.push(builder);
    return builder;
  }

  /** The module in the binary format, ready for `new WebAssembly.Module`. */
  bytes(): Uint8Array<ArrayBuffer> {
    const out = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    const { shared, minimumPages, maximumPages } = this.options.memory;
    const limits = [shared ? 3 : 1];
    unsigned(limits, minimumPages);
    unsigned(limits, maximumPages);
    section(out, 1, this.functions.map(typeOf));
    section(out, 2, [[...name('env'), ...name('memory'), 2, ...limits]]);
    section(
      out,
      3,
      this.functions.map((entry) => indexBytes(entry.index)),
    );
    const exported = this.functions.flatMap((entry) => {
      const { name: label } = entry.options;
      return label === undefined ? [] : [[...name(label), 0, ...indexBytes(entry.index)]];
    });
    section(out, 7, exported);
    section(
      out,
      10,
      this.functions.map((entry) => entry.bytes()),
    );
    return Uint8Array.from(out);
  }
}

function typeOf(entry: FunctionBuilder): number[] {
  const out = [0x60];
  for (const types of [entry.options.parameters ?? [], entry.options.results ?? []])
    vector(
      out,
      types.map((type) => [valueTypes[type]]),
    );
  return out;
}

function indexBytes(index: number): number[] {
  const out: number[] = [];
  unsigned(out, index);
  return out;
}

function name(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  return [...indexBytes(bytes.length), ...bytes];
}

function section(out: number[], id: number, items: readonly (readonly number[])[]): void {
  const body: number[] = [];
  vector(body, items);
  out.push(id);
  unsigned(out, body.length);
  append(out, body);
}
