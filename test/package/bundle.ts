import { gzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';

export interface Bundle {
  readonly code: string;
  /** Of all files together, Workers included, each compressed by itself. */
  readonly gzipBytes: number;
}

/** Bundles a module for a page as Vite does, minified. `project` finds the packages that the module imports. */
export async function bundle(project: string, code: string): Promise<Bundle> {
  const entry = 'virtual:entry';
  const result = (await build({
    root: project,
    configFile: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === entry ? `${project}/entry.js` : undefined),
        load: (id) => (id === `${project}/entry.js` ? code : undefined),
      },
    ],
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: { input: entry, preserveEntrySignatures: 'strict' },
    },
  })) as Rolldown.RolldownOutput;
  const files = result.output.map((file) => (file.type === 'chunk' ? file.code : Buffer.from(file.source).toString()));
  return { code: files.join('\n'), gzipBytes: files.reduce((sum, file) => sum + gzipSync(file).length, 0) };
}
