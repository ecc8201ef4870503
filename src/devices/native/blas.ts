import type { RuntimeLibrary } from './library.js';
import type { Launcher } from './runtime.js';

/** One thread to a call: our own pool calls it from each of its threads, and two pools would spin against each other. */
const singleThreaded = {
  OPENBLAS_NUM_THREADS: '1',
  OMP_NUM_THREADS: '1', // what else an OpenBLAS built with OpenMP takes
  MKL_NUM_THREADS: '1',
  MKL_THREADING_LAYER: 'SEQUENTIAL',
  BLIS_NUM_THREADS: '1',
  VECLIB_MAXIMUM_THREADS: '1',
};

/** Where BLAS libraries are, the fastest first. */
export function blasCandidates(environment = process.env): readonly string[] {
  const given = environment['SLUICE_BLAS'];
  if (given === 'none') return [];
  if (given !== undefined && given !== '') return [given];
  if (process.platform === 'darwin')
    return [
      '/System/Library/Frameworks/Accelerate.framework/Accelerate',
      '/opt/homebrew/opt/openblas/lib/libopenblas.dylib',
      '/usr/local/opt/openblas/lib/libopenblas.dylib',
    ];
  return ['libmkl_rt.so.2', 'libmkl_rt.so', 'libopenblas.so.0', 'libopenblas.so', 'libblis.so.4', 'libblas.so.3'];
}

/** Loads a BLAS; the address of its cblas_sgemm and what it is, or why there is none. */
export function loadBlas(
  library: RuntimeLibrary,
  path: string,
  core = '',
): { sgemm: number; name: string; file: string; core: string } | { problem: string } {
  const settings: Record<string, string> = { ...singleThreaded, ...(core === '' ? {} : { OPENBLAS_CORETYPE: core }) };
  const before = Object.keys(settings).map((name) => [name, process.env[name] ?? ''] as const);
  for (const [name, value] of Object.entries(settings)) library.setEnvironment(name, value);
  try {
    const handle = library.load(path);
    if (handle === 0) return { problem: library.loadError() };
    const sgemm = library.symbol(handle, 'cblas_sgemm');
    if (sgemm === 0) return { problem: `${path} has no function cblas_sgemm` };
    library.firstProduct(sgemm);
    const says = (name: string): string => {
      const symbol = library.symbol(handle, name);
      return symbol === 0 ? '' : library.answerOf(symbol);
    };
    const file = library.fileOf(sgemm);
    const config = says('openblas_get_config').split(' ').slice(0, 2).join(' ');
    return { sgemm, file, name: config || file, core: says('openblas_get_corename') };
  } finally {
    for (const [name, value] of before) library.setEnvironment(name, value);
  }
}

/** A matrix of a batch, as a BLAS wants it: its neighbours lie along rows, or along columns if it is turned. */
export interface BlasMatrix {
  readonly address: number;
  /** All in elements. */
  readonly batchStride: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

export interface BlasProduct {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: BlasMatrix;
  readonly b: BlasMatrix;
  readonly c: BlasMatrix;
  readonly accumulate: boolean;
}

const mostNumber = 2 ** 31 - 1;
/** Rows and columns of a part are a multiple, so that no kernel is left with an edge that the whole had not. */
const partMultiple = 16;

/** How many work items a product is for a number of threads, and their words; undefined for strides that no BLAS has. */
export function blasWords(
  sgemm: number,
  product: BlasProduct,
  threads: number,
): { items: number; words: Float64Array } | undefined {
  const { batch, m, n, k, a, b, c, accumulate } = product;
  const [left, right, result] = [leading(a, m, k), leading(b, k, n), leading(c, m, n)];
  if (left === undefined || right === undefined || result === undefined || result.turned) return undefined;
  const parts = batch >= threads ? 1 : Math.ceil(threads / batch);
  const isTall = m >= n;
  const rows = isTall ? partSize(m, parts) : m;
  const columns = isTall ? n : partSize(n, parts);
  const words = Float64Array.of(
    ...[sgemm, m, n, k, rows, columns, a.address, b.address, c.address],
    ...[a.batchStride, b.batchStride, c.batchStride, left.stride, right.stride, result.stride],
    ...[left.turned ? 1 : 0, right.turned ? 1 : 0, accumulate ? 1 : 0],
  );
  return { items: batch * Math.ceil(m / rows) * Math.ceil(n / columns), words };
}

/** The product by the BLAS, a part to each thread of the pool; false where there is none, or not for such strides. */
export function blasMatmul(launcher: Launcher, product: BlasProduct): boolean {
  const { blas, threads } = launcher;
  const launch = blas === undefined ? undefined : blasWords(blas.sgemm, product, threads);
  if (blas === undefined || launch === undefined) return false;
  launcher.launch(blas.kernel, launch.words, launch.items, 1);
  return true;
}

const partSize = (size: number, parts: number): number =>
  Math.min(size, Math.ceil(size / parts / partMultiple) * partMultiple);

/** The stride between rows, or columns; where there is but one, any that is long enough. */
function leading(
  { rowStride, columnStride }: BlasMatrix,
  rows: number,
  columns: number,
): { stride: number; turned: boolean } | undefined {
  const fits = (stride: number, length: number): boolean => stride >= length && stride <= mostNumber;
  if (columnStride === 1 || columns === 1) {
    const stride = rows === 1 ? Math.max(columns, 1) : rowStride;
    if (fits(stride, columns)) return { stride, turned: false };
  }
  if (rowStride === 1 || rows === 1) {
    const stride = columns === 1 ? Math.max(rows, 1) : columnStride;
    if (fits(stride, rows)) return { stride, turned: true };
  }
  return undefined;
}
