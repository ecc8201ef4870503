import { CommanderError } from 'commander';
import { SluiceError } from '../base/errors.js';
import { jsonText } from './output.js';
import { UsageError } from './usage.js';

/** A failure as scripts read it under `--json`; what is unknown is null. */
export interface Failure {
  /** An `ErrorCode`; `internal` for what should not have happened. */
  readonly code: string;
  readonly rule: string;
  readonly received: unknown;
  readonly remedy: string | null;
}

/** The failure's parts, from whatever was thrown. */
export function failureOf(error: unknown): Failure {
  const thrown = error instanceof UsageError && error.cause instanceof SluiceError ? error.cause : error;
  if (thrown instanceof SluiceError) {
    const { code, rule, received, remedy } = thrown;
    return { code, rule, received: asJson(received), remedy: remedy ?? null };
  }
  if (thrown instanceof CommanderError) return usageFailure(thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = thrown instanceof UsageError ? 'argument' : 'internal';
  return { code, rule: message.split('\n')[0] ?? '', received: null, remedy: null };
}

/** What to write instead of a formula that starts with a minus, which Commander takes for an option. */
export function negatedFormula(message: string): string | undefined {
  const [, formula] = /unknown option '(-(?!-)(?:.*[(^*/+].*|[\d.]*x(?:-.*)?))'/.exec(message) ?? [];
  if (formula === undefined) return undefined;
  return `A formula that starts with - goes in parentheses, "(${formula})", or last, after --: -- "${formula}".`;
}

/** JSON has no functions, and a value may refer to itself: those are told as text. */
function asJson(value: unknown): unknown {
  try {
    const text = jsonText(value) as string | undefined;
    return text === undefined ? null : JSON.parse(text);
  } catch {
    return String(value);
  }
}

/** Commander tells its parts in a sentence: `error: unknown option '--x'`, then perhaps `(Did you mean --y?)`. */
function usageFailure({ code, message }: CommanderError): Failure {
  const [first = '', second] = message.replace(/^error: /, '').split('\n');
  const [, option, received = /'([^']*)'$/.exec(first)?.[1] ?? null, remedy = null] =
    /^(option .*) argument '(.*)' is invalid\. (.*)$/.exec(first) ?? [];
  return {
    code: /unknown|excess/i.test(code) ? 'name' : 'argument',
    rule: option === undefined ? first : `${option} takes another value`,
    received,
    remedy: second?.replace(/^\((.*)\)$/, '$1') ?? negatedFormula(first) ?? remedy,
  };
}

/** The line for people, or with `debug` the stack. */
export function explain(error: unknown, debug: boolean): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (debug) return stack;
  if (error instanceof UsageError || error instanceof SluiceError) return `error: ${error.message}`;
  const message = error instanceof Error ? error.message : String(error);
  return `error: ${message.split('\n')[0] ?? ''} (unexpected; --debug shows where)`;
}
