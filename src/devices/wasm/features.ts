import { ModuleBuilder } from './assembler.js';
import type { FunctionBuilder } from './function-builder.js';
import { nodeModules } from './platform.js';

/** What this engine's WebAssembly can do. */
export interface WasmFeatures {
  /** 128-bit vectors; the device needs them. */
  readonly simd: boolean;
  /** Shared memory and workers. A page has them only when it is cross-origin isolated. */
  readonly threads: boolean;
  /** Fused multiply-add (`f32x4.relaxed_madd`): faster, but its last bit may differ from machine to machine. */
  readonly relaxedSimd: boolean;
}

/**
 * Finds out what the engine can do.
 *
 * With `enableRelaxed`, Node 20 is told to accept relaxed SIMD, which it has behind a flag. The flag holds for the
 * whole process, so only who opens a device may ask.
 */
export function detectFeatures(options: { readonly enableRelaxed?: boolean } = {}): WasmFeatures {
  const simd = accepts((f) => f.f32x4(0));
  let relaxedSimd = simd && acceptsRelaxed();
  if (simd && !relaxedSimd && options.enableRelaxed === true) {
    nodeModules()?.v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
    relaxedSimd = acceptsRelaxed();
  }
  return { simd, threads: threadsAllowed(), relaxedSimd };
}

function acceptsRelaxed(): boolean {
  return accepts((f) => {
    f.f32x4(1);
    f.f32x4(2);
    f.f32x4(3);
    f.op('f32x4.relaxed_madd');
  });
}

/** Whether the engine accepts a function whose body `emit` leaves one value. */
function accepts(emit: (f: FunctionBuilder) => void): boolean {
  if (typeof WebAssembly !== 'object') return false;
  const module = new ModuleBuilder({ memory: { shared: false, minimumPages: 0, maximumPages: 1 } });
  const f = module.function({});
  emit(f);
  f.op('drop');
  return WebAssembly.validate(module.bytes());
}

function threadsAllowed(): boolean {
  if (typeof SharedArrayBuffer !== 'function' || typeof Atomics !== 'object') return false;
  if (nodeModules() !== undefined) return true;
  return typeof Worker === 'function' && globalThis.crossOriginIsolated === true;
}
