import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

export const checkout = resolve(import.meta.dirname, '../..');

/** The package as its users get it: packed from a fresh build, unpacked where a project of theirs finds it. */
export interface Packed {
  /** A project that depends on the package. */
  readonly project: string;
  /** The package in it. */
  readonly root: string;
  /** The paths in the tarball. */
  readonly files: readonly string[];
  /** The size of the tarball in bytes. */
  readonly bytes: number;
  remove(): Promise<void>;
}

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Node to its end, whatever the exit code. */
export async function node(
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv },
): Promise<Output> {
  return run(process.execPath, args, options);
}

async function run(
  command: string,
  args: readonly string[],
  { cwd, env = {} }: { cwd: string; env?: NodeJS.ProcessEnv },
): Promise<Output> {
  const environment = { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1', ...env };
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { cwd, env: environment });
    return { code: 0, stdout, stderr };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && typeof error.code === 'number')) throw error;
    const { stdout, stderr } = error as Error & Output;
    return { code: error.code, stdout, stderr };
  }
}

async function succeed(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, { cwd });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}

const packedFiles = ['package.json', 'tsconfig.json', 'LICENSE', 'README.md', 'CHANGELOG.md', 'bin', 'scripts', 'src'];

/** Builds and packs a copy of the checkout. The project finds the package's own dependencies and nothing else. */
export async function pack(): Promise<Packed> {
  const temporary = await mkdtemp(join(tmpdir(), 'sluice-package-'));
  const [source, project] = [join(temporary, 'source'), join(temporary, 'project')];
  for (const name of packedFiles) await cp(join(checkout, name), join(source, name), { recursive: true });
  await symlink(join(checkout, 'node_modules'), join(source, 'node_modules'));
  await succeed(process.execPath, ['scripts/build.js', '--clean'], source);
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const report = JSON.parse(await succeed(npm, ['pack', '--ignore-scripts', '--json'], source)) as unknown;
  const [about] = Object.values(report as Record<string, TarballReport>);
  if (about === undefined) throw new Error('npm pack reported nothing');
  const modules = join(project, 'node_modules');
  const root = join(modules, 'sluice');
  await mkdir(root, { recursive: true });
  await succeed('tar', ['-xzf', join(source, about.filename), '-C', root, '--strip-components=1'], source);
  const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) await link(name, modules);
  await writeFile(join(project, 'package.json'), '{ "name": "project", "private": true, "type": "module" }\n');
  const remove = (): Promise<void> => rm(temporary, { recursive: true, force: true });
  return { project, root, files: about.files.map(({ path }) => path), bytes: about.size, remove };
}

interface TarballReport {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

/** Makes a package of the checkout's dependencies visible in a node_modules folder. */
export async function link(name: string, modules: string): Promise<void> {
  await mkdir(dirname(join(modules, name)), { recursive: true });
  await symlink(join(checkout, 'node_modules', name), join(modules, name));
}
