import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../../base/errors.js';
import { blasCandidates } from './blas.js';
import { digest, readTrusted, writeWhole } from './cache-folder.js';
import { processorFeatures, processorName } from './flags.js';
import { koffiError } from './library.js';

/** A BLAS that multiplied rightly in a process of its own. */
export interface Blas {
  /** As it is loaded. */
  readonly path: string;
  /** What it says of itself, or its file. */
  readonly name: string;
  /** For OPENBLAS_CORETYPE; empty where OpenBLAS knows this processor, or it is another library. */
  readonly core: string;
  /** GFLOP/s of one thread. */
  readonly speed: number;
}

interface Heard {
  readonly loaded?: boolean;
  readonly trying?: string;
  readonly path?: string;
  readonly problem?: string;
  readonly name?: string;
  readonly file?: string;
  readonly core?: string;
  readonly speed?: number;
}

const probeLimit = 30_000; // milliseconds
/** A later candidate must be faster by more than what two timings differ. */
const clearlyFaster = 1.25;
/** What OpenBLAS calls the kernels that it falls back to: on a processor with AVX2 it is then older than the processor. */
const oldCores =
  /^(prescott|core2|penryn|dunnington|nehalem|sandybridge|athlon|opteron|barcelona|bobcat|atom|nano|generic)/i;

/**
 * The fastest BLAS of this machine, or none; asked once in a process of its own, with koffi, and noted in the folder.
 * @param anew asks again, whatever is noted
 * @throws SluiceError `argument` for one that `SLUICE_BLAS` names and that does not work, `device` where koffi does not.
 */
export async function findBlas(runtimePath: string, folder: string, { anew = false } = {}): Promise<Blas | undefined> {
  const candidates = blasCandidates();
  const places = ['/etc/ld.so.cache', ...candidates].map(ageOf);
  const path = process.env['LD_LIBRARY_PATH'] ?? '';
  const key = digest(runtimePath, process.version, processorName(), path, ...candidates, ...places);
  const note = join(folder, `blas-${key.slice(0, 16)}.json`);
  const known = anew ? undefined : readNote(note);
  if (known !== undefined) return known.blas;
  const blas = await probeAll(runtimePath, candidates);
  await writeWhole(note, JSON.stringify({ blas })).catch(() => {}); // it is asked again
  return blas;
}

function readNote(path: string): { blas?: Blas } | undefined {
  try {
    const note: unknown = JSON.parse(readTrusted(path)?.toString() ?? '');
    return isNote(note) ? note : undefined;
  } catch {
    return undefined;
  }
}

function isNote(note: unknown): note is { blas?: Blas } {
  if (typeof note !== 'object' || note === null) return false;
  const { blas } = note as { readonly blas?: unknown };
  if (blas === undefined) return true;
  if (typeof blas !== 'object' || blas === null) return false;
  const { path, name, core, speed } = blas as { readonly [K in keyof Blas]?: unknown };
  return [path, name, core].every((text) => typeof text === 'string') && typeof speed === 'number';
}

function ageOf(path: string): string {
  try {
    return String(statSync(path).mtimeMs);
  } catch {
    return '';
  }
}

async function probeAll(runtimePath: string, candidates: readonly string[]): Promise<Blas | undefined> {
  const facts: Heard[] = [];
  let rest = candidates;
  do {
    const { heard, ending } = await probe(runtimePath, '', rest);
    if (!heard.some(({ loaded }) => loaded === true)) throw koffiError(ending);
    facts.push(...heard);
    const tried = heard.filter(({ trying }) => trying !== undefined);
    const last = tried.at(-1)?.trying;
    if (last !== undefined && heard.at(-1)?.trying === last) facts.push({ path: last, problem: ending });
    rest = rest.slice(tried.length === 0 ? rest.length : tried.length);
  } while (rest.length > 0);
  const best = fastest(facts);
  if (best === undefined && process.env['SLUICE_BLAS'] && candidates.length > 0) throw blasError(facts);
  return best === undefined ? undefined : withBestCore(runtimePath, best);
}

function fastest(facts: readonly Heard[]): Blas | undefined {
  let best: Blas | undefined;
  for (const { path, name = '', core = '', speed } of facts) {
    if (path === undefined || speed === undefined) continue;
    if (best === undefined || speed > clearlyFaster * best.speed) best = { path, name, core, speed };
  }
  return best;
}

/** OpenBLAS on a processor that it does not know takes kernels of 2004; ten times slower. */
async function withBestCore(runtimePath: string, found: Blas): Promise<Blas> {
  const features = processorFeatures();
  const isOld = oldCores.test(found.core) && features.includes('avx2');
  if (!isOld) return { ...found, core: '' };
  const core = features.includes('avx512vl') ? 'SKYLAKEX' : 'HASWELL';
  const { heard } = await probe(runtimePath, core, [found.path]);
  const speed = heard.find((fact) => fact.speed !== undefined)?.speed ?? 0;
  return speed > found.speed ? { ...found, core, speed } : { ...found, core: '' };
}

/** What a process that tries the libraries says, and how it ended. */
async function probe(
  runtimePath: string,
  core: string,
  candidates: readonly string[],
): Promise<{ heard: Heard[]; ending: string }> {
  // Only tests run the sources themselves; a process needs JavaScript, which is then the built file.
  const built = import.meta.url.endsWith('.ts') ? '../../../dist/devices/native/probe.js' : './probe.js';
  const script = fileURLToPath(new URL(built, import.meta.url));
  const { NODE_OPTIONS: _, ...environment } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [script, runtimePath, core, ...candidates],
      { timeout: probeLimit, env: environment },
      (error, said, complaint) => {
        const reason = complaint.split('\n').find((line) => /error/i.test(line)) ?? error?.signal ?? 'it said nothing';
        resolve({ heard: said.split('\n').flatMap(heardIn), ending: String(reason) });
      },
    );
  });
}

/** A process that was ended may have said half a line. */
function heardIn(line: string): Heard[] {
  try {
    return line.startsWith('{') ? [JSON.parse(line) as Heard] : [];
  } catch {
    return [];
  }
}

function blasError(facts: readonly Heard[]): SluiceError {
  const { problem } = facts.find((fact) => fact.problem !== undefined) ?? {};
  return new SluiceError('argument', {
    rule: 'SLUICE_BLAS names a library whose cblas_sgemm multiplies, or is none',
    received: problem,
    remedy: 'Correct SLUICE_BLAS, or unset it to have one found.',
  });
}
