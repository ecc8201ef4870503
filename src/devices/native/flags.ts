import { readFileSync } from 'node:fs';
import os from 'node:os';

/** The instruction sets that the system lists; empty where it lists none. */
export function processorFeatures(): readonly string[] {
  try {
    const [, list = ''] = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8')) ?? [];
    return list.trim().split(/\s+/).sort();
  } catch {
    return [];
  }
}

/** What of the processor -march=native depends on. */
export const processorName = (): string =>
  `${process.arch} ${os.cpus()[0]?.model ?? ''} ${processorFeatures().join(' ')}`;

/**
 * Flags of every text of kernels, for a processor of the compiler's -march, `native` for this one. NaN and infinity are
 * values like others, and a fused multiply-add is only where the text says so: it rounds otherwise.
 */
export function kernelFlags(march = 'native'): readonly string[] {
  const isWide = march === 'native' ? processorFeatures().includes('avx512f') : /v4|avx512/.test(march);
  return [
    '-std=gnu11',
    '-O3',
    process.arch === 'arm64' ? `-mcpu=${march}` : `-march=${march}`,
    ...(isWide ? ['-mprefer-vector-width=512'] : []),
    '-fno-math-errno',
    '-fno-trapping-math',
    '-ffp-contract=off',
  ];
}
