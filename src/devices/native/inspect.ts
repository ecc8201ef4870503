import * as fs from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../../base/errors.js';
import { findBaked, isBakedName } from './baked.js';
import { Builder } from './builder.js';
import { digest, requirePrivate, userCache } from './cache-folder.js';
import { findCompiler } from './compiler.js';
import { findBlas } from './find-blas.js';
import { processorFeatures } from './flags.js';
import { importKoffi } from './library.js';
import { resource } from './resource.js';

interface Part {
  readonly part: 'koffi' | 'compiler' | 'kernels' | 'BLAS' | 'instruction sets' | 'cache';
  readonly description: string;
}

interface FoundPart extends Part {
  readonly found: true;
}

interface MissingPart extends Part {
  readonly found: false;
  /** What to do about it; empty where another part says it. */
  readonly advice: string;
  /** A variable names what does not work: commands fail by it. */
  readonly isWrong?: true;
}

/** A part of the native device: what was found, or what is missing and the one command that adds it. */
export type PartReport = FoundPart | MissingPart;

/** Instruction sets that make a difference to kernels, the widest first. */
const notable = /^(avx512f|avx512_bf16|amx_bf16|avx2|avx|fma|sse4_2|sve2|sve|asimd)$/;

const commands = {
  linux: { compiler: 'apt install gcc libc6-dev', BLAS: 'apt install libopenblas0' },
  darwin: { compiler: 'xcode-select --install', BLAS: 'brew install openblas' },
  win32: { compiler: 'wsl --install', BLAS: 'wsl --install' },
} as const;

/** What the system is called whose command is given. */
const systems = { linux: 'on Debian and Ubuntu', darwin: 'on macOS', win32: 'on Windows, where it needs WSL' } as const;

/** The command that adds a part to this system. */
export function commandFor(part: 'compiler' | 'BLAS', platform: NodeJS.Platform = process.platform): string {
  const known = platform === 'darwin' || platform === 'win32' ? platform : 'linux';
  return `${commands[known][part]} (${systems[known]})`;
}

/** Looks for the parts of the native device; nothing that is missing or wrong is an error here. */
export async function inspectNative(): Promise<readonly PartReport[]> {
  return [await koffiPart(), await compilerPart(), ...kernelsPart(), await blasPart(), featuresPart(), cachePart()];
}

const compilerAdvice = (): string => `The native device, the fastest, needs a C compiler: ${commandFor('compiler')}.`;

/** A remedy as the doctor gives it, which others refer to. */
export const doctorsAdvice = (remedy: string): string =>
  remedy.includes('"sluice doctor" says how') ? compilerAdvice() : remedy;

function missing(part: PartReport['part'], error: unknown): MissingPart {
  const known = error instanceof SluiceError ? error : undefined;
  const remedy = known?.remedy ?? 'Report it as a bug of Sluice, and use device "wasm".';
  const advice = doctorsAdvice(remedy);
  const wrong = known?.code === 'argument' ? ({ isWrong: true } as const) : {};
  return { part, found: false, description: known?.problem ?? String(error), advice, ...wrong };
}

async function koffiPart(): Promise<PartReport> {
  try {
    const { default: koffi } = await importKoffi();
    return { part: 'koffi', found: true, description: koffi.version };
  } catch (error) {
    return missing('koffi', error);
  }
}

function switchedOff(part: PartReport['part'], variable: string): MissingPart {
  return { part, found: false, description: `${variable} is none`, advice: `${variable} is none: unset it.` };
}

/** Kernels that were made ahead, where a variable names them or there are some. */
function kernelsPart(): readonly PartReport[] {
  try {
    const folder = findBaked(digest(resource('prelude.h')));
    return folder === undefined ? [] : [{ part: 'kernels', found: true, description: `made ahead, ${folder}` }];
  } catch (error) {
    return [missing('kernels', error)];
  }
}

async function compilerPart(): Promise<PartReport> {
  try {
    const compiler = await findCompiler();
    if (compiler === undefined && process.env['SLUICE_CC'] === 'none') return switchedOff('compiler', 'SLUICE_CC');
    if (compiler === undefined) {
      return { part: 'compiler', found: false, description: 'none', advice: compilerAdvice() };
    }
    return { part: 'compiler', found: true, description: `${compiler.version} (${compiler.path})` };
  } catch (error) {
    return missing('compiler', error);
  }
}

async function blasPart(): Promise<PartReport> {
  if (process.env['SLUICE_BLAS'] === 'none') return switchedOff('BLAS', 'SLUICE_BLAS');
  const advice = `The native device multiplies large matrices faster with a BLAS: ${commandFor('BLAS')}.`;
  try {
    const builder = await Builder.open();
    const blas = await findBlas(await builder.runtime(), builder.folder);
    if (blas === undefined) return { part: 'BLAS', found: false, description: 'none', advice };
    const core = blas.core === '' ? '' : `, OPENBLAS_CORETYPE=${blas.core}`;
    const speed = `${blas.speed.toFixed(0)} GFLOP/s on a thread`;
    return { part: 'BLAS', found: true, description: `${blas.name} (${blas.path}${core}), ${speed}` };
  } catch (error) {
    if (error instanceof SluiceError && error.rule.startsWith('SLUICE_BLAS')) return missing('BLAS', error);
    return {
      part: 'BLAS',
      found: false,
      description: 'not looked for, since the native device does not work',
      advice: '',
    };
  }
}

function featuresPart(): PartReport {
  const features = processorFeatures().filter((name) => notable.test(name));
  const description = features.length > 0 ? features.join(', ') : 'as the compiler finds them';
  return { part: 'instruction sets', found: true, description };
}

function cachePart(): PartReport {
  const folder = userCache();
  if (!fs.existsSync(folder)) return { part: 'cache', found: true, description: `${folder}, empty` };
  try {
    requirePrivate(folder);
  } catch (error) {
    return missing('cache', error);
  }
  const { files, bytes } = sizeOf(folder);
  return {
    part: 'cache',
    found: true,
    description: `${folder}, ${files === 1 ? '1 library' : `${files} libraries`}, ${sizeText(bytes)}`,
  };
}

/** Bytes in the unit that fits. */
export function sizeText(bytes: number): string {
  if (bytes < 2 ** 20) return `${Math.ceil(bytes / 2 ** 10)} KiB`;
  return bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** What a folder of the cache holds. */
function sizeOf(folder: string): { files: number; bytes: number } {
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.so'));
  return { files: names.length, bytes: names.reduce((sum, name) => sum + fs.statSync(join(folder, name)).size, 0) };
}

/** Removes what was compiled for this user, but not what was made ahead; how many libraries and bytes it was. */
export function clearCache(): { folder: string; files: number; bytes: number } {
  const folder = userCache();
  let [files, bytes] = [0, 0];
  for (const name of fs.existsSync(folder) ? fs.readdirSync(folder) : []) {
    if (isBakedName(name)) continue;
    const path = join(folder, name);
    const size = fs.statSync(path).isDirectory() ? sizeOf(path) : { files: 0, bytes: 0 };
    files += size.files;
    bytes += size.bytes;
    fs.rmSync(path, { recursive: true });
  }
  return { folder, files, bytes };
}
