import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Builder } from '../../../src/devices/native/builder.js';
import { findCompiler } from '../../../src/devices/native/compiler.js';
import { findBlas } from '../../../src/devices/native/find-blas.js';
import { loadRuntime } from '../../../src/devices/native/library.js';
import { NativeRuntime } from '../../../src/devices/native/runtime.js';

const compiler = await findCompiler();

let base = '';
beforeEach(() => {
  base = fs.mkdtempSync(join(os.tmpdir(), 'sluice-test-'));
  vi.stubEnv('XDG_CACHE_HOME', base);
});
afterEach(() => {
  vi.unstubAllEnvs();
  fs.rmSync(base, { recursive: true, force: true });
});

/** A BLAS of our own, that says what OMP_NUM_THREADS was when it was loaded. */
const text = `
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static char said[64];
__attribute__((constructor)) static void start(void) {
  const char *threads = getenv("OMP_NUM_THREADS");
  snprintf(said, sizeof said, "OMP_NUM_THREADS=%s", threads == NULL ? "" : threads);
}
const char *openblas_get_config(void) { return said; }
#include <unistd.h>
static void *wait(void *none) {
  for (;;) pause();
  return none;
}
static int threads;
void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda, const float *b,
                 int ldb, float beta, float *c, int ldc) {
  pthread_t thread;
  while (threads < THREADS && ++threads) pthread_create(&thread, NULL, wait, NULL);
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      float sum = 0;
      for (int p = 0; p < k; p++) sum += (ta == 112 ? a[p * lda + i] : a[i * lda + p]) * (tb == 112 ? b[j * ldb + p] : b[p * ldb + j]);
      c[i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * c[i * ldc + j]);
    }
  (void)order;
}`;

/** Its path; it starts threads of its own. */
function makeBlas(name: string, threads = 0): string {
  const path = join(base, name);
  const flags = ['-O3', '-march=native', '-ffast-math', `-DTHREADS=${threads}`, '-fPIC', '-shared', '-pthread'];
  execFileSync(compiler?.path ?? '', [...flags, '-x', 'c', '-', '-o', path], { input: text });
  return path;
}

describe.skipIf(compiler === undefined)('a BLAS (skipped where there is no compiler to make one)', () => {
  const parts = async () => {
    const builder = await Builder.open();
    return { builder, path: await builder.runtime(), folder: builder.folder };
  };
  const notes = (folder: string): string[] => fs.readdirSync(folder).filter((name) => name.startsWith('blas-'));

  test('is told to compute on one thread, by OpenMP too', async () => {
    vi.stubEnv('SLUICE_BLAS', makeBlas('one.so'));
    const { path, folder } = await parts();
    expect(await findBlas(path, folder)).toMatchObject({ name: 'OMP_NUM_THREADS=1', speed: expect.any(Number) });
  });

  test.skipIf(process.platform !== 'linux')(
    'that computes on threads of its own is refused (skipped where there is no /proc)',
    async () => {
      vi.stubEnv('SLUICE_BLAS', makeBlas('many.so', 3));
      const { path, folder } = await parts();
      await expect(findBlas(path, folder)).rejects.toMatchObject({
        ...{ code: 'argument', received: expect.stringMatching(/^it computes on 3 threads more/) },
      });
    },
  );

  test('is asked again where the note of it is damaged, or others may write to it', async () => {
    const blas = makeBlas('one.so');
    vi.stubEnv('SLUICE_BLAS', blas);
    const { path, folder } = await parts();
    await findBlas(path, folder);
    const note = join(folder, notes(folder)[0] ?? '');
    for (const damaged of ['', 'null', '7', '{"blas": null}', '{"blas": {"path": 3}}']) {
      fs.writeFileSync(note, damaged);
      expect(await findBlas(path, folder)).toMatchObject({ path: blas });
    }
    fs.writeFileSync(note, JSON.stringify({ blas: { path: '/evil.so', name: '', core: '', speed: 1 } }));
    expect(await findBlas(path, folder)).toMatchObject({ path: '/evil.so' });
    fs.chmodSync(note, 0o622);
    expect(await findBlas(path, folder)).toMatchObject({ path: blas });
  });

  test('is asked again where libraries are looked for elsewhere', async () => {
    vi.stubEnv('SLUICE_BLAS', makeBlas('one.so'));
    const { path, folder } = await parts();
    for (const places of ['/a', '/b', '/a']) {
      vi.stubEnv('LD_LIBRARY_PATH', places);
      await findBlas(path, folder);
    }
    expect(notes(folder)).toHaveLength(2);
  });

  test('that was noted and does not load any more is looked for anew, with a notice', async () => {
    const blas = makeBlas('one.so');
    vi.stubEnv('SLUICE_BLAS', blas);
    const { path, folder } = await parts();
    await findBlas(path, folder);
    const gone = { blas: { path: join(base, 'gone.so'), name: 'gone', core: '', speed: 1 } };
    for (const name of notes(folder)) fs.writeFileSync(join(folder, name), JSON.stringify(gone));
    const notices: string[] = [];
    const runtime = await NativeRuntime.open({ threads: 1, onNotice: (line) => notices.push(line) });
    expect(runtime.blas?.name).toBe('OMP_NUM_THREADS=1');
    expect(notices).toEqual([expect.stringMatching(/gone\.so was found before and does not load/)]);
    await runtime.close();
  });
});

test('a runtime that does not load is an error of the device that says where it lies', async () => {
  const path = join(base, 'runtime.so');
  fs.writeFileSync(path, 'no library');
  await expect(loadRuntime(path)).rejects.toMatchObject({ code: 'device', message: expect.stringContaining(path) });
});
