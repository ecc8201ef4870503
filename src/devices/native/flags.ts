import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

/** The instruction sets that the system lists, as Linux names them; empty where it lists none. */
export function processorFeatures(): readonly string[] {
  try {
    return process.platform === 'darwin' ? featuresOfSysctl(askSysctl()) : linuxFeatures();
  } catch {
    return [];
  }
}

function linuxFeatures(): readonly string[] {
  const [, list = ''] = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8')) ?? [];
  return list.trim().split(/\s+/).sort();
}

let ofSysctl: string | undefined;

/** Neither on Intel nor on ARM are there all of these: what is missing is left out, and makes it fail. */
function askSysctl(): string {
  const names = ['machdep.cpu.features', 'machdep.cpu.leaf7_features', 'machdep.cpu.extfeatures', 'hw.optional.arm'];
  ofSysctl ??= spawnSync('/usr/sbin/sysctl', names, { encoding: 'utf8', timeout: 5000 }).stdout;
  return ofSysctl;
}

/** Linux's names of what macOS calls otherwise than by a capital letter, a point or a line below. */
const linuxNames: Readonly<Record<string, string>> = {
  ...{ sse3: 'pni', avx1_0: 'avx', lzcnt: 'abm', dotprod: 'asimddp', fp16: 'asimdhp' },
};

/** The instruction sets in what macOS's sysctl says. */
export function featuresOfSysctl(said: string): readonly string[] {
  const intel = [...said.matchAll(/^machdep\.cpu\.\w+: (.*)$/gm)].flatMap(([, list = '']) => list.split(' '));
  const arm = [...said.matchAll(/^hw\.optional\.arm\.FEAT_(\w+): 1$/gm)].map(([, name = '']) => name);
  const names = [...intel, ...arm, ...(arm.length > 0 ? ['asimd'] : [])].map((name) =>
    name.toLowerCase().replace('.', '_'),
  );
  return names.map((name) => linuxNames[name] ?? name).sort();
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
