import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkout } from './packed.js';

const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium';
const isBuilt = existsSync(join(checkout, 'dist/browser-train.js'));
const canRun = isBuilt && existsSync(executablePath);

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What a careful site sends: no eval, no code of others, WebAssembly allowed. */
const policy = { 'Content-Security-Policy': "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'" };
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};
const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

/** Serves a folder on a free port. */
async function serve(folder: string, headers: Readonly<Record<string, string>>): Promise<Server> {
  const server = createServer(async ({ url = '/' }, response) => {
    const path = url === '/' ? '/index.html' : url;
    try {
      const body = await readFile(join(folder, path));
      response.writeHead(200, { 'Content-Type': types[extname(path)] ?? 'text/plain', ...headers }).end(body);
    } catch {
      response.writeHead(path === '/favicon.ico' ? 204 : 404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** Trains in the page; gives what it says at the end and everything that went wrong. */
async function trainIn(page: Page, steps = 24): Promise<{ status: string; sample: string; hasCurve: boolean }> {
  await page.fill('#steps', String(steps));
  await page.click('#train');
  await page.waitForFunction(() => document.querySelector('#train:not(:disabled)') !== null, undefined, {
    timeout: 50_000,
  });
  const hasCurve = await page.evaluate(() => {
    const canvas = document.querySelector('canvas');
    const pixels = canvas?.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    return pixels.some((value) => value !== 0);
  });
  const [status, sample] = [await page.textContent('#status'), await page.textContent('#sample')];
  return { status: status ?? '', sample: sample ?? '', hasCurve };
}

describe.skipIf(!canRun)('a page (skipped without a build, or without Chromium: set CHROMIUM_PATH)', () => {
  let site: string;
  let browser: Browser;

  beforeAll(async () => {
    site = await mkdtemp(join(tmpdir(), 'sluice-site-'));
    const configFile = join(checkout, 'examples/browser/vite.config.ts');
    await build({ configFile, logLevel: 'warn', build: { outDir: site, emptyOutDir: true } });
    browser = await chromium.launch({ executablePath, args: flags });
  });
  afterAll(async () => {
    await browser?.close();
    await rm(site, { recursive: true, force: true });
  });

  async function visit<T>(headers: Readonly<Record<string, string>>, use: (page: Page) => Promise<T>): Promise<T> {
    const server = await serve(site, headers);
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    try {
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      const result = await use(page);
      expect(complaints).toEqual([]);
      return result;
    } finally {
      await page.close();
      server.close();
    }
  }

  const lossOf = (status: string): number => Number(/finished, loss ([\d.]+)$/.exec(status)?.[1]);
  /** Of guessing each of the sonnets' 53 or so characters alike. */
  const guessing = Math.log(50);

  test('that is cross-origin isolated trains in a Worker, on threads', async () => {
    await visit({ ...policy, ...isolation }, async (page) => {
      const cores = await page.evaluate(() => navigator.hardwareConcurrency);
      const { status, sample, hasCurve } = await trainIn(page);
      expect(status).toContain(cores === 1 ? '1 thread:' : `${cores} threads:`);
      expect(lossOf(status)).toBeLessThan(guessing - 0.4);
      expect(sample).toMatch(/^Shall[\s\S]{30,60}$/);
      expect(hasCurve).toBe(true);
    });
  });

  test('that is not isolated trains in a Worker, on one thread', async () => {
    await visit(policy, async (page) => {
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
      const { status } = await trainIn(page);
      expect(status).toContain('1 thread:');
      expect(lossOf(status)).toBeLessThan(guessing - 0.4);
    });
  });

  test('stops training at once, and can train again', async () => {
    await visit({ ...policy, ...isolation }, async (page) => {
      await page.fill('#steps', '1000000');
      await page.click('#train');
      await page.waitForFunction(() => /step \d+,/.test(document.querySelector('#status')?.textContent ?? ''));
      await page.click('#stop');
      expect(await page.textContent('#status')).toBe('Stopped');
      expect((await trainIn(page, 2)).status).toContain('finished');
    });
  });

  test('says what is wrong with a text that is too short', async () => {
    await visit(policy, async (page) => {
      await page.fill('#text', 'short');
      expect((await trainIn(page)).status).toContain('at least 65 tokens');
    });
  });
});
