import { expect, test } from 'vitest';
import type { Builder } from '../../../src/devices/native/builder.js';
import { KernelLoader } from '../../../src/devices/native/kernels.js';
import type { RuntimeLibrary } from '../../../src/devices/native/library.js';

const sources = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => ({ name, code: name.repeat(20_000) }));

/** A loader whose compilers do as `make` says, on a system that loads libraries with "good" in their path. */
function loaderOf(make: () => Promise<string>) {
  const failures: unknown[] = [];
  const builder = { find: () => undefined, make } as unknown as Builder;
  const library = {
    load: (path: string) => (path.includes('good') ? 1 : 0),
    symbol: () => 1,
    loadError: () => 'failed to map segment',
  } as unknown as RuntimeLibrary;
  const loader = new KernelLoader(builder, library, (failure) => failures.push(failure));
  for (const source of sources) loader.kernel(source.name, () => source);
  return { loader, failures };
}

test('whoever waits for kernels hears when all are made', async () => {
  const { loader, failures } = loaderOf(async () => '/good.so');
  await loader.made();
  expect(new Set(failures)).toEqual(new Set([undefined]));
});

test('whoever waits for kernels hears of compilers that fail, however many kernels are left', async () => {
  const { loader, failures } = loaderOf(async () => {
    throw new Error('no room');
  });
  await expect(loader.made()).rejects.toThrow('no room');
  expect(failures[0]).toMatchObject({ message: 'no room' });
});

test('a library that was made and does not load is an error with what the system says', async () => {
  const { loader, failures } = loaderOf(async () => '/noexec/library.so');
  await expect(loader.made()).rejects.toMatchObject({ code: 'device', received: 'failed to map segment' });
  expect(failures[0]).toMatchObject({ message: expect.stringContaining('/noexec/library.so') });
});
