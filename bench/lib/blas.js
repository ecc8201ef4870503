/** The system's BLAS, called with nothing in between. */
import { readFileSync } from 'node:fs';

const names = { darwin: ['/System/Library/Frameworks/Accelerate.framework/Accelerate'] };
const usual = ['libopenblas.so.0', 'libmkl_rt.so.2', 'libblis.so.4', 'libcblas.so.3'];

/** OpenBLAS takes a generic kernel on processors that it does not know; where AVX-512 is had, this one is right. */
function chooseKernel() {
  if (process.platform !== 'linux' || process.env.OPENBLAS_CORETYPE !== undefined) return;
  const flags = readFileSync('/proc/cpuinfo', 'utf8');
  if (flags.includes(' avx512dq')) process.env.OPENBLAS_CORETYPE = 'SKYLAKEX';
  else if (flags.includes(' avx2')) process.env.OPENBLAS_CORETYPE = 'HASWELL';
}

/**
 * `library` has koffi's `func`; `path` is what was loaded: SLUICE_BLAS, or the first of the usual names that loads.
 * @returns {Promise<{ library: object, path: string } | { missing: string }>}
 */
export async function openBlas() {
  const { SLUICE_BLAS: given } = process.env;
  let koffi;
  try {
    ({ default: koffi } = await import('koffi'));
  } catch {
    return { missing: 'no koffi' };
  }
  chooseKernel();
  for (const path of given === undefined ? (names[process.platform] ?? usual) : [given]) {
    try {
      return { library: koffi.load(path), path };
    } catch {
      // The next one, perhaps.
    }
  }
  return { missing: 'no BLAS' };
}
