import { SluiceError } from '../base/errors.js';
import type { UpdateRule } from '../training/update-rule.js';
import { type OptimizerName, updateRules } from '../training/update-rules.js';
import { type PartialSettings, type SettingName, type Settings, settingNames } from './settings.js';

const optimizers = Object.keys(updateRules) as OptimizerName[];

/** The settings that an optimizer is made with: those of its options that are settings. */
const optionsOf = (optimizer: OptimizerName): SettingName[] => {
  const { options } = updateRules[optimizer]();
  return settingNames.filter((name) => Object.hasOwn(options, name));
};

/** The settings of any optimizer. */
export const optimizerSettings: readonly SettingName[] = [
  'optimizer',
  ...settingNames.filter((name) => optimizers.some((optimizer) => optionsOf(optimizer).includes(name))),
];

/** Whether a setting is of no optimizer, or of this one. */
export const isUsedBy = (name: SettingName, optimizer: Settings['optimizer']): boolean =>
  name === 'optimizer' || !optimizerSettings.includes(name) || optionsOf(named(optimizer)).includes(name);

/** Names that stand for SGD with something. */
const shorthands: Readonly<Record<string, PartialSettings>> = {
  momentum: { optimizer: 'sgd', momentum: 0.9 },
  nesterov: { optimizer: 'sgd', momentum: 0.9, nesterov: true },
};

const named = (optimizer: Settings['optimizer']): OptimizerName =>
  (shorthands[optimizer]?.optimizer ?? optimizer) as OptimizerName;

/** What the usual rate, which is AdamW's, is multiplied with: steps of plain SGD are shorter, and Lion's longer. */
const rates: Readonly<Partial<Record<OptimizerName, number>>> = { sgd: 10, lion: 0.1 };

type Chosen = Partial<Settings> & Pick<Settings, 'optimizer'>;

/**
 * Settings with those of the optimizer that were left open filled in; AdamW's are there already.
 * @throws SluiceError `argument` for a setting that this optimizer has not, and for those that contradict each other.
 */
export function completeOptimizer<S extends Chosen & Pick<Settings, 'lr' | 'clip'>>(
  given: PartialSettings,
  settings: S,
): S {
  const said = { ...shorthands[given.optimizer ?? ''], ...given };
  const optimizer = named(settings.optimizer);
  const own = optionsOf(optimizer);
  const stray = optimizerSettings.find((name) => given[name] !== undefined && !isUsedBy(name, optimizer));
  if (stray !== undefined) {
    const others = optimizers.filter((other) => optionsOf(other).includes(stray));
    throw new SluiceError('argument', {
      rule: `${optimizer} is set by ${own.join(', ')}`,
      received: `${stray} ${given[stray]}`,
      remedy: `Leave it out, or use --optimizer ${others.join(' or ')}.`,
    });
  }
  const usual: PartialSettings = optimizer === 'adamw' ? settings : { clip: settings.clip };
  const chosen = { optimizer, ...Object.fromEntries(own.map((name) => [name, said[name] ?? usual[name]])) };
  const { options } = ruleOf(chosen);
  const whole = Object.fromEntries(own.map((name) => [name, options[name]]));
  const rate = said.momentum === undefined ? (rates[optimizer] ?? 1) : 1;
  return { ...settings, ...whole, optimizer, lr: given.lr ?? settings.lr * rate };
}

/** The update rule that settings describe. */
export function ruleOf(settings: Chosen): UpdateRule {
  const optimizer = named(settings.optimizer);
  const options = Object.fromEntries(optionsOf(optimizer).map((name) => [name, settings[name]]));
  const make: (options: object) => UpdateRule = updateRules[optimizer];
  return make(options);
}
