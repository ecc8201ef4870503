import * as fs from 'node:fs';
import { join } from 'node:path';
import { Builder } from './builder.js';
import { requirePrivate, userCache } from './cache-folder.js';
import { findCompiler } from './compiler.js';
import { findBlas } from './find-blas.js';
import { processorFeatures } from './flags.js';

/** A part of the native device: what was found, or what is missing and the one command that adds it. */
export interface PartReport {
  readonly part: 'compiler' | 'BLAS' | 'instruction sets' | 'cache';
  readonly found: boolean;
  readonly description: string;
  /** What to do about a part that is missing. */
  readonly advice?: string;
}

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
  return [await compilerPart(), await blasPart(), featuresPart(), cachePart()];
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function compilerPart(): Promise<PartReport> {
  const advice = `The native device, the fastest, needs a C compiler: ${commandFor('compiler')}.`;
  try {
    const compiler = await findCompiler();
    const description = compiler === undefined ? 'none' : `${compiler.version} (${compiler.path})`;
    const found = compiler !== undefined;
    return { part: 'compiler', found, description, ...(found ? {} : { advice }) };
  } catch (error) {
    return { part: 'compiler', found: false, description: messageOf(error), advice };
  }
}

async function blasPart(): Promise<PartReport> {
  const advice = `The native device multiplies large matrices faster with a BLAS: ${commandFor('BLAS')}.`;
  try {
    const builder = await Builder.open();
    const blas = await findBlas(await builder.runtime(), builder.folder);
    if (blas === undefined) return { part: 'BLAS', found: false, description: 'none', advice };
    const core = blas.core === '' ? '' : `, OPENBLAS_CORETYPE=${blas.core}`;
    const speed = `${blas.speed.toFixed(0)} GFLOP/s on a thread`;
    return { part: 'BLAS', found: true, description: `${blas.name} (${blas.path}${core}), ${speed}` };
  } catch (error) {
    return { part: 'BLAS', found: false, description: messageOf(error) };
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
    return { part: 'cache', found: false, description: messageOf(error) };
  }
  const { files, bytes } = cacheSize();
  return {
    part: 'cache',
    found: true,
    description: `${folder}, ${files} libraries, ${(bytes / 2 ** 20).toFixed(1)} MiB`,
  };
}

/** What the user's cache folder holds. */
function cacheSize(): { files: number; bytes: number } {
  const folder = userCache();
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.so'));
  return { files: names.length, bytes: names.reduce((sum, name) => sum + fs.statSync(join(folder, name)).size, 0) };
}

/** Removes this user's compiled kernels, those that were made ahead too; how many libraries and bytes they were. */
export function clearCache(): { folder: string; files: number; bytes: number } {
  const folder = userCache();
  if (!fs.existsSync(folder)) return { folder, files: 0, bytes: 0 };
  const size = cacheSize();
  fs.rmSync(folder, { recursive: true });
  return { folder, ...size };
}
