import * as fs from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../base/errors.js';
import { readTrusted, requirePrivate, userCache } from './cache-folder.js';
import { processorFeatures } from './flags.js';

/** What a folder of kernels made ahead says of itself. */
export interface Baked {
  readonly march: string;
  readonly platform: string;
  /** The instruction sets that its kernels need, as the system names them. */
  readonly features: readonly string[];
  /** The hash of the head that its texts had. */
  readonly prelude: string;
}

export const bakedFile = 'baked.json';
const prefix = 'baked-';

/** Where kernels that are made ahead for a kind of processor are found by default. */
export const bakedFolder = (march: string): string => join(userCache(), prefix + march);

export const platformName = (): string => `${process.platform} ${process.arch}`;

/**
 * A folder of kernels made ahead that this processor runs: `SLUICE_KERNELS`, or one in the user's cache folder.
 * @throws SluiceError `argument` where `SLUICE_KERNELS` names one that cannot be used here.
 */
export function findBaked(prelude: string, environment = process.env): string | undefined {
  const given = environment['SLUICE_KERNELS'];
  if (given !== undefined && given !== '' && given !== 'none') {
    const problem = problemOf(given, prelude);
    if (problem === undefined) return given;
    throw new SluiceError('argument', {
      rule: 'SLUICE_KERNELS names a folder made by "sluice kernels build", for this processor and version',
      received: `${problem}: ${given}`,
      remedy: 'Make it anew with --out, or leave the variable out.',
    });
  }
  return given === 'none' ? undefined : folders().find((folder) => problemOf(folder, prelude) === undefined);
}

function folders(): string[] {
  try {
    const names = fs.readdirSync(userCache()).filter((name) => name.startsWith(prefix));
    // The most capable kind of processor comes last by its name: x86-64-v2, -v3, -v4.
    return names
      .sort()
      .reverse()
      .map((name) => join(userCache(), name));
  } catch {
    return [];
  }
}

/** Why a folder cannot be used here. */
function problemOf(folder: string, prelude: string): string | undefined {
  try {
    requirePrivate(folder);
  } catch (error) {
    if (!(error instanceof SluiceError)) return 'it cannot be read';
    return String(error.received).split(':', 1)[0];
  }
  const text = readTrusted(join(folder, bakedFile))?.toString();
  if (text === undefined) return `it has no ${bakedFile} that only its user can write to`;
  const baked = JSON.parse(text) as Baked;
  if (baked.platform !== platformName()) return `it is for ${baked.platform}, and this is ${platformName()}`;
  if (baked.prelude !== prelude) return 'another version of Sluice made it';
  const here = processorFeatures();
  const missing = baked.features.filter((feature) => !here.includes(feature));
  return missing.length === 0 ? undefined : `its kernels need ${missing.join(', ')}, which this processor has not`;
}

/** The compiler's names of instruction sets, and the system's. */
const macros: Readonly<Record<string, string>> = {
  __SSE3__: 'pni',
  __SSSE3__: 'ssse3',
  __SSE4_1__: 'sse4_1',
  __SSE4_2__: 'sse4_2',
  __POPCNT__: 'popcnt',
  __AVX__: 'avx',
  __AVX2__: 'avx2',
  __FMA__: 'fma',
  __BMI__: 'bmi1',
  __BMI2__: 'bmi2',
  __F16C__: 'f16c',
  __LZCNT__: 'abm',
  __MOVBE__: 'movbe',
  __AVX512F__: 'avx512f',
  __AVX512BW__: 'avx512bw',
  __AVX512CD__: 'avx512cd',
  __AVX512DQ__: 'avx512dq',
  __AVX512VL__: 'avx512vl',
  __AVX512VNNI__: 'avx512_vnni',
  __AVX512BF16__: 'avx512_bf16',
  __ARM_FEATURE_DOTPROD: 'asimddp',
  __ARM_FEATURE_FP16_VECTOR_ARITHMETIC: 'asimdhp',
  __ARM_FEATURE_SVE: 'sve',
  __ARM_FEATURE_SVE2: 'sve2',
  __ARM_FEATURE_BF16: 'bf16',
  __ARM_FEATURE_MATMUL_INT8: 'i8mm',
};

/** The instruction sets that a compiler's predefined macros stand for. */
export const featuresOf = (defined: string): readonly string[] =>
  [...defined.matchAll(/^#define (\w+) /gm)].flatMap(([, name = '']) => macros[name] ?? []);
