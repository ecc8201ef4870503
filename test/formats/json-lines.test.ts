import { describe, expect, test } from 'vitest';
import { writeNewFile } from '../../src/formats/durable.js';
import { JsonLinesWriter, truncateMetrics } from '../../src/formats/json-lines.js';
import { errorOf } from './make-safetensors.js';
import { MemoryFileSystem, systemError } from './memory-file-system.js';

const path = '/metrics.jsonl';
const text = (fs: MemoryFileSystem): string => new TextDecoder().decode(fs.bytes(path));

async function holding(content: string): Promise<MemoryFileSystem> {
  const fs = new MemoryFileSystem();
  await writeNewFile(fs, path, (sink) => sink.write(new TextEncoder().encode(content)));
  fs.settle();
  return fs;
}

describe('appending lines', () => {
  test('keeps their order without waiting, and goes on where the file ended', async () => {
    const fs = new MemoryFileSystem();
    fs.portion = (length) => Math.ceil(length / 2);
    for (const start of [1, 4]) {
      const writer = await JsonLinesWriter.open(path, { fs });
      await Promise.all([0, 1, 2].map((i) => writer.append({ step: start + i })));
      await writer.close();
    }
    expect(text(fs)).toBe([1, 2, 3, 4, 5, 6].map((step) => `{"step":${step}}\n`).join(''));
  });

  test('writes numbers that are not finite as strings, not null', async () => {
    const fs = new MemoryFileSystem();
    const writer = await JsonLinesWriter.open(path, { fs });
    await writer.append({ step: 1, loss: NaN, gradientNorm: Infinity, best: -Infinity, note: undefined });
    expect(text(fs)).toBe('{"step":1,"loss":"NaN","gradientNorm":"Infinity","best":"-Infinity"}\n');
  });

  test('cuts off a torn last line, however long', async () => {
    for (const torn of ['{"step":2,"lo', 'x'.repeat(200_000)]) {
      const fs = await holding(`{"step":1}\n${torn}`);
      const writer = await JsonLinesWriter.open(path, { fs });
      await writer.append({ step: 2 });
      expect(text(fs)).toBe('{"step":1}\n{"step":2}\n');
    }
  });

  test('that fails leaves nothing of the line, and the next one is whole', async () => {
    const fs = await holding('{"step":1}\n');
    const writer = await JsonLinesWriter.open(path, { fs });
    fs.fault = (call) => (call === 'write' ? systemError('ENOSPC', 'write', path) : undefined);
    const error = await errorOf(() => writer.append({ step: 2, loss: 1.5 }));
    expect(error.code).toBe('filesystem');
    expect(error.message).toMatch(/ENOSPC.*Free space/);
    expect(text(fs)).toBe('{"step":1}\n');
    fs.fault = () => undefined;
    await writer.append({ step: 3 });
    expect(text(fs)).toBe('{"step":1}\n{"step":3}\n');
  });

  test('survives the process at once, and the machine after sync', async () => {
    const fs = new MemoryFileSystem();
    const writer = await JsonLinesWriter.open(path, { fs });
    await writer.append({ step: 1 });
    await writer.sync();
    await writer.append({ step: 2 });
    expect(text(fs)).toBe('{"step":1}\n{"step":2}\n');
    fs.crash('none');
    expect(text(fs)).toBe('{"step":1}\n');
  });
});

describe('going back to a step', () => {
  test('drops the lines past it wherever they are, and torn ones', async () => {
    const fs = await holding(
      '{"step":1}\n{"step":3}\n{"step":2,"validationLoss":1}\n\n{"note":1}\n\0\0\n[1]\n{"step":2',
    );
    expect(await truncateMetrics(path, 2, { fs })).toEqual({ kept: 3, dropped: 1, torn: 3 });
    expect(text(fs)).toBe('{"step":1}\n{"step":2,"validationLoss":1}\n{"note":1}\n');
    expect(await fs.readdir('/')).toEqual(['metrics.jsonl']);
  });

  test('keeps a last line that is whole but for its line feed', async () => {
    const fs = await holding('{"step":1}\n{"step":2}');
    expect(await truncateMetrics(path, 2, { fs })).toEqual({ kept: 2, dropped: 0, torn: 0 });
    expect(text(fs)).toBe('{"step":1}\n{"step":2}\n');
  });

  test('reads lines that lie across the pieces of a large file', async () => {
    const line = (step: number): string => `{"step":${step},"note":"${'é'.repeat(step % 50)}"}\n`;
    const all = Array.from({ length: 40_000 }, (_, i) => line(i + 1));
    const fs = await holding(all.join(''));
    expect(await truncateMetrics(path, 39_000, { fs })).toEqual({ kept: 39_000, dropped: 1000, torn: 0 });
    expect(text(fs)).toBe(all.slice(0, 39_000).join(''));
  });

  test('does nothing without a file', async () => {
    const fs = new MemoryFileSystem();
    expect(await truncateMetrics(path, 2, { fs })).toEqual({ kept: 0, dropped: 0, torn: 0 });
    expect(await fs.readdir('/')).toEqual([]);
  });

  test('killed before any call leaves the old lines or the new ones', async () => {
    const [before, after] = ['{"step":1}\n{"step":2}\n{"step":3}\n', '{"step":1}\n'];
    for (let k = 1, ended = false; !ended; k++) {
      expect(k, 'calls of one save').toBeLessThan(500);
      const fs = await holding(before);
      fs.killAt(k);
      ended = await truncateMetrics(path, 1, { fs }).then(
        () => true,
        () => false,
      );
      fs.crash(k);
      expect([before, after]).toContain(text(fs));
    }
  });

  test('refuses a line without end', async () => {
    const fs = await holding('x'.repeat(18 * 2 ** 20));
    expect((await errorOf(() => truncateMetrics(path, 1, { fs }))).message).toMatch(/must not be longer/);
  });
});
