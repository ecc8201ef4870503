import { readFileSync } from 'node:fs';
import os from 'node:os';

/** What decides how the kernels are compiled. */
export interface Target {
  /** `native`, or a name that the compiler's -march knows. */
  readonly march: string;
  readonly avx512: boolean;
  /** What of the processor the compiler sees, for the key of the cache. */
  readonly processor: string;
}

/** This machine's processor. */
export function nativeTarget(): Target {
  const features = processorFeatures();
  const processor = `${process.arch} ${os.cpus()[0]?.model ?? ''} ${features.join(' ')}`;
  return { march: 'native', avx512: features.includes('avx512f'), processor };
}

/** The instruction sets that the system lists; empty where it lists none. */
export function processorFeatures(): readonly string[] {
  try {
    const [, list = ''] = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8')) ?? [];
    return list.trim().split(/\s+/).sort();
  } catch {
    return [];
  }
}

/**
 * Flags of every text of kernels. NaN and infinity are values like others, and a fused multiply-add is only where the
 * text says so: it rounds otherwise, and the same text must give the same bits with every compiler.
 */
export function kernelFlags({ march, avx512 }: Target): readonly string[] {
  return [
    '-std=gnu11',
    '-O3',
    process.arch === 'arm64' ? `-mcpu=${march}` : `-march=${march}`,
    ...(avx512 ? ['-mprefer-vector-width=512'] : []),
    '-fno-math-errno',
    '-fno-trapping-math',
    '-ffp-contract=off',
  ];
}

/** Flags of runtime.c. */
export const runtimeFlags = ['-std=gnu11', '-O2', '-pthread'] as const;
