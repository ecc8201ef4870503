import { spawn } from 'node:child_process';
import { SluiceError } from '../../base/errors.js';

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
    const { status, output } = await run(path, ['--version'], '', answerLimit);
    if (status === 0) return { path, version: output.split('\n', 1)[0] ?? '' };
    if (given) throw wrongCompiler(output);
  }
  return undefined;
}

/**
 * Compiles a text to a shared library.
 * @throws SluiceError `device` with what the compiler says.
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
  const { status, output: said } = await run(path, args, text, compileLimit, signal);
  if (status !== 0) throw compilerError(`the C compiler ${path} makes a library of the kernels`, said);
}

/** What the compiler defines for these flags, one `#define` to a line. */
export async function predefined({ path }: Compiler, flags: readonly string[]): Promise<string> {
  const { status, output } = await run(path, [...flags, '-dM', '-E', '-x', 'c', '-'], '', answerLimit);
  if (status !== 0) throw compilerError(`the C compiler ${path} knows the processor that -march names`, output);
  return output;
}

function wrongCompiler(said: string): SluiceError {
  return new SluiceError('argument', {
    rule: 'SLUICE_CC names a C compiler that says its version, or is none',
    received: said.split('\n', 1)[0],
    remedy: 'Correct it, or leave it out to have one found.',
  });
}

function compilerError(rule: string, said: string): SluiceError {
  const line =
    said.split('\n').find((text) => /error|not found|it (said nothing|was ended)/i.test(text)) ??
    said.split('\n', 1)[0];
  return new SluiceError('device', {
    rule,
    received: line?.trim(),
    remedy: 'Install a C compiler with its headers ("sluice doctor" says how), or use device "wasm".',
    cause: new Error(said),
  });
}

/** Runs a program with a text as its input; what it says on both its outputs, or why it did not run. */
function run(
  path: string,
  args: readonly string[],
  input: string,
  limit: number,
  signal?: AbortSignal,
): Promise<{ status: number | undefined; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(path, args, { env: { ...process.env, LC_ALL: 'C' }, killSignal: 'SIGKILL', signal });
    let output = '';
    // The option `timeout` of spawn would keep the process waiting for a program that there is not.
    const timer = setTimeout(() => {
      output = `it said nothing for ${limit / 1000} seconds\n${output}`;
      child.kill('SIGKILL');
    }, limit);
    const end = (status: number | null, more = ''): void => {
      clearTimeout(timer);
      resolve({ status: status ?? undefined, output: output + more });
    };
    const hear = (piece: Buffer): void => {
      output += piece.toString();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('error', ({ message }) => end(null, message));
    child.on('close', (status, signal) => end(status, signal === null ? '' : `it was ended (${signal})`));
    child.stdin.on('error', () => {}); // it may end before it has read all
    child.stdin.end(input);
  });
}
