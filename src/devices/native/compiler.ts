import { spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { SluiceError } from '../../base/errors.js';
import { closedError } from '../device.js';

/** A compiler of the system that answered. */
export interface Compiler {
  readonly path: string;
  /** The first line of what it says of itself. */
  readonly version: string;
}

const names = ['cc', 'gcc', 'clang'];
const answerLimit = 10_000; // milliseconds
const compileLimit = 120_000;

/**
 * The system's C compiler: `SLUICE_CC`, else `cc`, `gcc` or `clang` on the PATH; undefined where there is none or
 * `SLUICE_CC` is `none`.
 * @throws SluiceError `argument` where `SLUICE_CC` names one that does not run.
 */
export async function findCompiler(environment = process.env): Promise<Compiler | undefined> {
  const given = environment['SLUICE_CC'];
  if (given === 'none') return undefined;
  for (const path of given === undefined || given === '' ? names : [given]) {
    const { status, output } = await run(path, ['--version'], {});
    if (status === 0) return { path, version: output.split('\n', 1)[0] ?? '' };
    if (given) throw wrongCompiler(path, output);
  }
  return undefined;
}

/**
 * Compiles a text to a shared library.
 * @throws SluiceError `device` with what the compiler says, or since `signal` has ended it.
 */
export async function compile(
  { path }: Compiler,
  flags: readonly string[],
  text: string,
  output: string,
  signal?: AbortSignal,
): Promise<void> {
  // Unloading code that threads are in would end the process; on macOS libraries with threads of their own stay anyway.
  const stay = process.platform === 'linux' ? ['-Wl,-z,nodelete'] : [];
  const args = [...flags, '-pipe', '-fPIC', '-shared', ...stay, '-x', 'c', '-', '-o', output, '-lm'];
  const isAborted = (): boolean => signal?.aborted === true;
  if (isAborted()) throw closedError('native');
  const temporary = `${output}.parts`;
  await mkdir(temporary, { mode: 0o700 });
  try {
    const { status, output: said } = await run(path, args, { input: text, limit: compileLimit, signal, temporary });
    if (isAborted()) throw closedError('native');
    if (status !== 0) throw compilerError(`the C compiler ${path} makes a library of the kernels`, said);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** What the compiler defines for these flags, one `#define` to a line. */
export async function predefined({ path }: Compiler, flags: readonly string[]): Promise<string> {
  const { status, output } = await run(path, [...flags, '-dM', '-E', '-x', 'c', '-'], {});
  if (status !== 0) throw compilerError(`the C compiler ${path} knows the processor that -march names`, output);
  return output;
}

function wrongCompiler(path: string, said: string): SluiceError {
  const why = /ENOENT/.test(said) ? 'there is no such program' : said.split('\n', 1)[0];
  return new SluiceError('argument', {
    rule: 'SLUICE_CC names a C compiler that says its version, or is none',
    received: `${path}: ${why}`,
    remedy: 'Correct SLUICE_CC, or unset it to have one found.',
  });
}

/** What a compiler's words are of, and what to do about it; the first that fits. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [/^it said nothing for/, 'Try again when the machine has less to do, or use device "wasm".'],
  [
    /no space left|quota exceeded/i,
    'Make room for what is compiled ("sluice doctor" says where), or use device "wasm".',
  ],
  [/cannot allocate|out of memory|killed|\(SIG/i, 'Free memory, or use device "wasm".'],
  [
    /\.h: no such file|file not found|cannot execute|error trying to exec|cannot find|ENOENT|EACCES/i,
    'Install a C compiler with its headers ("sluice doctor" says how), or use device "wasm".',
  ],
  [/-m(arch|cpu|tune)|target (cpu|arch)/i, 'Use a newer compiler (SLUICE_CC names it), or device "wasm".'],
];
const unknownRemedy = 'Report it as a bug of Sluice, with all that it says (--debug shows it), or use device "wasm".';

function compilerError(rule: string, said: string): SluiceError {
  const line =
    said.split('\n').find((text) => /error|not found|it (said nothing|was ended)/i.test(text)) ??
    said.split('\n', 1)[0];
  const [, remedy] = remedies.find(([fits]) => fits.test(said)) ?? [undefined, unknownRemedy];
  return new SluiceError('device', { rule, received: line?.trim(), remedy, cause: new Error(said) });
}

interface RunOptions {
  readonly input?: string;
  /** In milliseconds. */
  readonly limit?: number;
  readonly signal?: AbortSignal | undefined;
  /** For its temporary files. */
  readonly temporary?: string;
}

interface Answer {
  readonly status: number | undefined;
  /** What it said on both its outputs, or why it did not run. */
  readonly output: string;
}

/** Runs a program; at the limit, and by the signal, it and all that it has started are ended. */
function run(path: string, args: readonly string[], options: RunOptions): Promise<Answer> {
  const { input = '', limit = answerLimit, signal, temporary } = options;
  return new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: 'C', ...(temporary === undefined ? {} : { TMPDIR: temporary }) };
    // A group of its own: compilers are drivers of programs that would go on without them, and hold the pipes.
    const child = spawn(path, args, { env, detached: true });
    let output = '';
    const settle = (status: number | null, more = ''): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      resolve({ status: status ?? undefined, output: output + more });
    };
    const end = (why: string): void => {
      endGroup(child.pid);
      for (const stream of child.stdio) stream?.destroy();
      output = `${why}\n${output}`;
      settle(null);
    };
    const stop = (): void => end('it was ended');
    // The option `timeout` of spawn would keep the process waiting for a program that there is not.
    const timer = setTimeout(() => end(`it said nothing for ${limit / 1000} seconds`), limit);
    const hear = (piece: Buffer): void => {
      output += piece.toString();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('error', ({ message }) => settle(null, message));
    child.on('close', (status, killer) => settle(status, killer === null ? '' : `it was ended (${killer})`));
    child.stdin.on('error', () => {}); // it may end before it has read all
    child.stdin.end(input);
    signal?.addEventListener('abort', stop);
  });
}

function endGroup(leader: number | undefined): void {
  try {
    if (leader !== undefined) process.kill(-leader, 'SIGKILL');
  } catch {} // all of it has ended
}
