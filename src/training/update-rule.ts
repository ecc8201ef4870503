import { SluiceError } from '../base/errors.js';
import { type Completed, completeOptions, type OptionTable } from '../base/options.js';
import { type Expression, variablesOf } from '../scalar/expression.js';

/** What every optimizer takes beside what is its own. */
export interface CommonOptions {
  /** The share of a weight that is taken off it, or of its half square that is added to the loss: see each rule. */
  readonly weightDecay: number;
  /** The largest global norm of the gradient; 0 for no clipping. */
  readonly clip: number;
}

/** A number that a rule remembers of each weight. */
export interface Remembered {
  /** What becomes of it in a step. */
  readonly next: Expression;
  /** What it is at first. */
  readonly initial: number;
}

interface Formulas {
  /** What becomes of a weight in a step. */
  readonly weight: Expression;
  /** By their variables, whose names in a checkpoint are those of torch.optim: `expAvg` is `exp_avg`. */
  readonly state?: Readonly<Record<string, Remembered>>;
  /** Values that a step has but once, by their variables. */
  readonly shared?: Readonly<Record<string, Expression>>;
}

type Values = Readonly<Record<string, number | boolean>>;

/**
 * How a weight follows its gradient: one scalar expression with several outputs, the new weight and what is remembered of
 * it, in the variables `weight`, `gradient` (clipped), `lr`, `step` (from 1 on, in shared values alone), those of its state
 * and shared values, and its options. `weightDecay` is 0 for what does not decay.
 */
export class UpdateRule {
  readonly name: string;
  readonly options: Values & CommonOptions;
  readonly weight: Expression;
  readonly state: Readonly<Record<string, Remembered>>;
  readonly shared: Readonly<Record<string, Expression>>;
  /** The options that the formulas are written in. */
  readonly scalars: readonly string[];
  /** The paper or system it comes from. */
  readonly source: string;

  constructor(
    name: string,
    options: Values & CommonOptions,
    { weight, state = {}, shared = {} }: Formulas,
    source: string,
  ) {
    this.name = name;
    this.options = options;
    this.weight = weight;
    this.state = state;
    this.shared = shared;
    const all = [weight, ...Object.values(state).map(({ next }) => next), ...Object.values(shared)];
    this.scalars = Object.keys(options).filter((option) => variablesOf(all).includes(option));
    this.source = source;
  }

  /** The value of an option that is a number. */
  valueOf(option: string): number {
    return Number(this.options[option]);
  }
}

/**
 * A rule's options, whole and checked.
 * @param shares those that are below 1, as what an average keeps is
 * @throws SluiceError `name` for one that it does not know, `argument` for one outside its range.
 */
export function ruleOptions<O extends object, const T extends OptionTable<O>>(
  name: string,
  given: Partial<O>,
  table: T & OptionTable<Partial<O>>,
  shares: readonly (keyof O & string)[],
): Completed<Partial<O>, T & OptionTable<Partial<O>>> {
  const options = completeOptions<Partial<O>, T & OptionTable<Partial<O>>>(name, given, table);
  for (const [option, value] of Object.entries(options)) {
    const usual: unknown = Reflect.get(table, option);
    const refuse = (rule: string): never => {
      const remedy = `Leave it out for ${usual}.`;
      throw new SluiceError('argument', { rule: `${name}'s ${option} is ${rule}`, received: value, remedy });
    };
    if (typeof usual === 'boolean') {
      if (typeof value !== 'boolean') refuse('true or false');
    } else if (!(typeof value === 'number' && value >= 0 && Number.isFinite(value))) refuse('a number of at least 0');
    else if (shares.some((share) => share === option) && value >= 1) refuse('below 1');
  }
  return options;
}
