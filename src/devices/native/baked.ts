import * as fs from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../base/errors.js';
import { digest, makeFolders, modes, readTrusted, requirePrivate, userCache, writeWhole } from './cache-folder.js';
import { kernelFlags, processorFeatures } from './flags.js';

/** What a folder of kernels made ahead says of itself. */
export interface Baked {
  readonly march: string;
  readonly platform: string;
  /** The instruction sets that its kernels need, as the system names them. */
  readonly features: readonly string[];
  /** The hash of the head that its texts had. */
  readonly prelude: string;
  /** The hash of the compiler's flags. */
  readonly flags: string;
}

export const bakedFile = 'baked.json';
const prefix = 'baked-';

/** Whether a folder of the cache is of kernels made ahead. */
export const isBakedName = (name: string): boolean => name.startsWith(prefix);

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
      received: `${problem.what}: ${given}`, // of a long text the end is cut
      remedy: problem.remedy ?? 'Make it anew with --out, or leave the variable out.',
    });
  }
  return given === 'none' ? undefined : folders().find((folder) => problemOf(folder, prelude) === undefined);
}

/**
 * Makes a folder ready for kernels that all may read: they are for images, made by root and run by another user. What
 * an earlier making left is removed, since its kernels may be for another processor.
 */
export async function openBaked(folder: string, baked: Baked): Promise<void> {
  makeFolders(folder, 0o755);
  requirePrivate(folder);
  for (const name of fs.readdirSync(folder)) if (/^[0-9a-f]{64}\.(so|json)$/.test(name)) fs.rmSync(join(folder, name));
  fs.chmodSync(folder, modes.shared.library); // it may have been there
  await writeWhole(join(folder, bakedFile), JSON.stringify(baked), modes.shared.file);
}

/** Those of the user's cache folder, the most capable kind of processor first. */
function folders(): string[] {
  try {
    const names = fs.readdirSync(userCache()).filter(isBakedName);
    const found = names.map((name) => ({ folder: join(userCache(), name), size: 0 }));
    for (const one of found) one.size = readBaked(one.folder)?.features.length ?? 0;
    return found.sort((a, b) => b.size - a.size).map(({ folder }) => folder);
  } catch {
    return [];
  }
}

/** Undefined for what is damaged, or what others can write to. */
function readBaked(folder: string): Baked | undefined {
  try {
    const baked: unknown = JSON.parse(readTrusted(join(folder, bakedFile))?.toString() ?? '');
    return isBaked(baked) ? baked : undefined;
  } catch {
    return undefined;
  }
}

function isBaked(value: unknown): value is Baked {
  if (typeof value !== 'object' || value === null) return false;
  const { march, platform, features, prelude, flags } = value as { readonly [K in keyof Baked]?: unknown };
  const isList = Array.isArray(features) && features.every((feature) => typeof feature === 'string');
  return isList && [march, platform, prelude, flags].every((text) => typeof text === 'string');
}

interface Problem {
  readonly what: string;
  readonly remedy?: string;
}

/** Why a folder cannot be used here. */
function problemOf(folder: string, prelude: string): Problem | undefined {
  if (!fs.existsSync(folder)) return { what: 'there is none', remedy: 'Correct it, or leave the variable out.' };
  try {
    requirePrivate(folder);
  } catch (error) {
    if (!(error instanceof SluiceError)) return { what: 'it cannot be read' };
    return { what: String(error.received).split(':', 1)[0] ?? '' };
  }
  const baked = readBaked(folder);
  if (baked === undefined) return { what: `it has no whole ${bakedFile} that only its user can write to` };
  if (baked.platform !== platformName()) return { what: `it is for ${baked.platform}, and this is ${platformName()}` };
  const here = processorFeatures();
  const missing = baked.features.filter((feature) => !here.includes(feature));
  if (missing.length > 0) return tooNew(baked.march, missing, here);
  const isThisVersion = baked.prelude === prelude && baked.flags === flagsDigest(baked.march);
  return isThisVersion ? undefined : { what: 'another version of Sluice made it' };
}

/** Of kernels for a processor that has more. */
function tooNew(march: string, missing: readonly string[], here: readonly string[]): Problem {
  const [first = '', ...more] = missing;
  const others = more.length === 0 ? '' : ` and ${more.length} more`;
  return {
    what: `made for ${march}: this processor lacks ${first}${others}`,
    remedy: `Make it anew with --march ${marchFor(here)}, or leave the variable out.`,
  };
}

/** The newest of the usual kinds of processor that has no more than these instruction sets. */
export function marchFor(here: readonly string[]): string {
  if (process.arch !== 'x64') return 'native, on this machine';
  const has = (...features: readonly string[]): boolean => features.every((feature) => here.includes(feature));
  if (!has('pni', 'ssse3', 'sse4_1', 'sse4_2', 'popcnt')) return 'x86-64';
  if (!has('avx', 'avx2', 'fma', 'bmi1', 'bmi2', 'f16c', 'abm', 'movbe')) return 'x86-64-v2';
  return has('avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl') ? 'x86-64-v4' : 'x86-64-v3';
}

/** What the kernels of a kind of processor were compiled with. */
export const flagsDigest = (march: string): string => digest(...kernelFlags(march));

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
  __AVX512FP16__: 'avx512_fp16',
  __AVX512VBMI__: 'avx512vbmi',
  __AVX512VBMI2__: 'avx512_vbmi2',
  __AVX512IFMA__: 'avx512ifma',
  __AVX512BITALG__: 'avx512_bitalg',
  __AVX512VPOPCNTDQ__: 'avx512_vpopcntdq',
  __AVX512VP2INTERSECT__: 'avx512_vp2intersect',
  __AVXVNNI__: 'avx_vnni',
  __AVXVNNIINT8__: 'avx_vnni_int8',
  __AVXVNNIINT16__: 'avx_vnni_int16',
  __AVXIFMA__: 'avx_ifma',
  __AVXNECONVERT__: 'avx_ne_convert',
  __FMA4__: 'fma4',
  __XOP__: 'xop',
  __GFNI__: 'gfni',
  __VAES__: 'vaes',
  __VPCLMULQDQ__: 'vpclmulqdq',
  __ARM_FEATURE_DOTPROD: 'asimddp',
  __ARM_FEATURE_FP16_VECTOR_ARITHMETIC: 'asimdhp',
  __ARM_FEATURE_SVE: 'sve',
  __ARM_FEATURE_SVE2: 'sve2',
  __ARM_FEATURE_BF16: 'bf16',
  __ARM_FEATURE_MATMUL_INT8: 'i8mm',
};

/**
 * The instruction sets that a compiler's predefined macros stand for.
 * @throws SluiceError `device` for vectors that are not known: nobody could tell which processors have them.
 */
export function featuresOf(defined: string): readonly string[] {
  const names = [...defined.matchAll(/^#define (\w+) /gm)].map(([, name = '']) => name);
  const unknown = names.filter((name) => /^__(AVX|FMA|XOP)\w*__$/.test(name) && !Object.hasOwn(macros, name));
  if (unknown.length === 0) return names.flatMap((name) => macros[name] ?? []);
  throw new SluiceError('device', {
    rule: 'kernels are made ahead for instruction sets that this version knows',
    received: unknown.join(', '),
    remedy: 'Make them for an older kind of processor: --march x86-64-v3, or x86-64-v4.',
  });
}
