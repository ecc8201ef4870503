/** Every failure a caller can meet, by a stable code. Codes are part of the public contract. */
export type ErrorCode =
  | 'argument' // a value outside its range
  | 'shape' // shapes or widths that do not fit
  | 'name' // an unknown activation, preset, flag, key, tensor
  | 'expression' // a text that is not an expression
  | 'data' // a data file that cannot be used
  | 'format' // a malformed or foreign file
  | 'checkpoint' // a run or checkpoint that cannot be used
  | 'device' // a device that cannot work here
  | 'memory' // a budget or an allocation that does not fit
  | 'freed' // a tensor used after its memory was given back
  | 'diverged' // training that stopped being finite
  | 'busy' // a run folder used by another process
  | 'filesystem' // reading or writing failed
  | 'network' // a server that cannot be reached, refuses, or sends something else
  | 'internal'; // our own bug

export interface ErrorParts {
  /** What must hold, as a sentence without its full stop. */
  readonly rule: string;
  /** What came instead. */
  readonly received?: unknown;
  /** What the caller can do about it, as a sentence with its full stop. */
  readonly remedy: string;
  readonly cause?: unknown;
}

/** Of our own bug a caller can do nothing. */
export type InternalErrorParts = Omit<ErrorParts, 'remedy'> & Partial<Pick<ErrorParts, 'remedy'>>;

/** The one error class: rule, value received, remedy and a stable code. */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly code: ErrorCode;
  readonly rule: string;
  readonly received: unknown;
  readonly remedy: string | undefined;

  constructor(code: Exclude<ErrorCode, 'internal'>, parts: ErrorParts);
  constructor(code: 'internal', parts: InternalErrorParts);
  constructor(code: ErrorCode, parts: InternalErrorParts) {
    const received = 'received' in parts ? `, received ${show(parts.received)}` : '';
    const remedy = parts.remedy === undefined ? '' : ` ${parts.remedy}`;
    super(`${parts.rule}${received}.${remedy}`, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = code;
    this.rule = parts.rule;
    this.received = parts.received;
    this.remedy = parts.remedy;
  }

  /** What is wrong, without what to do about it. */
  get problem(): string {
    return this.message.slice(0, this.message.length - (this.remedy?.length ?? 0)).trim();
  }
}

const mostItems = 8;
const mostCharacters = 80;

const cut = (text: string): string => (text.length > mostCharacters ? `${text.slice(0, mostCharacters - 3)}...` : text);

/** A value as a reader would write it: shapes as `[8, 63]`, strings in quotes, long ones cut. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(cut(value));
  if (Array.isArray(value)) {
    const more = value.length > mostItems ? `, ... (${value.length} in all)` : '';
    return `[${value.slice(0, mostItems).map(show).join(', ')}${more}]`;
  }
  if (typeof value === 'object' && value !== null) return cut(objectText(value));
  return Object.is(value, -0) ? '-0' : String(value);
}

/** An error must not fail for what it tells of: a circle or a BigInt has no JSON. */
function objectText(value: object): string {
  try {
    return JSON.stringify(value);
  } catch {
    return `a ${value.constructor?.name ?? 'object'}`;
  }
}
