import { SluiceError } from '../base/errors.js';
import { lengths, presetNamed, stated } from './presets.js';
import { defaults, type PartialSettings, type SettingName, type Settings } from './settings.js';
import { taskAndData, taskNamed } from './tasks.js';

/**
 * What a preset says of the model that is asked for, if one is: presets have the sizes of a LLaMA.
 * @throws SluiceError `name` for a preset or a task that there is not.
 */
export function presetFor(name: string, asked: PartialSettings): PartialSettings {
  const preset = presetNamed(name);
  const { task = defaults.task, model, optimizer = defaults.optimizer } = taskAndData(asked);
  if (model === undefined) return preset;
  const used = taskNamed(task).settings({ model, optimizer });
  return Object.fromEntries(Object.entries(preset).filter(([key]) => used.includes(key as SettingName)));
}

/**
 * Fills in what was left open, each from what it depends on.
 * @throws SluiceError `name` for an unknown task, `argument` without data, for settings that contradict each other, and
 * for those that the task has no use for.
 */
export function complete(given: PartialSettings): Settings {
  const said = stated(taskAndData(given));
  const task = taskNamed(said.task ?? defaults.task);
  const several = lengths.filter((name) => said[name] !== undefined);
  if (several.length > 1) {
    throw new SluiceError('argument', {
      rule: 'one of steps, epochs and time says how long to train',
      received: several.join(' and '),
      remedy: 'Leave the others out.',
    });
  }
  const settings = task.complete(said);
  const stray = (Object.keys(said) as SettingName[]).find((name) => !task.settings(settings).includes(name));
  if (stray !== undefined) {
    throw new SluiceError('argument', {
      rule: `${settings.model} for ${task.name} takes no ${stray}`,
      received: said[stray],
      remedy: 'Leave it out.',
    });
  }
  if (settings.minLr > settings.lr) {
    const remedy = `Leave it out for ${settings.lr / 10}.`;
    throw new SluiceError('argument', { rule: `minLr is at most lr, ${settings.lr}`, received: given.minLr, remedy });
  }
  return settings;
}
