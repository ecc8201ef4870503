import { SluiceError } from '../base/errors.js';
import type { Device } from '../devices/device.js';
import { type Finding, findingsOf, nameOf } from '../training/inspection/findings.js';
import { type Inspection, type InspectOptions, inspect } from '../training/inspection/inspect.js';
import { locateModel } from './hub/locate.js';
import { readFolder } from './read-folder.js';
import type { Facts, Subject, SubjectOptions } from './task.js';
import { taskNamed } from './tasks.js';

/** What was seen of a run's model. */
export interface RunInspection extends Inspection {
  readonly run: string;
  readonly facts: Facts;
  readonly findings: readonly Finding[];
}

export interface InspectRunOptions extends SubjectOptions {
  /** A unit is saturated where |f'| is below this for most inputs. */
  readonly threshold: number;
  readonly signal?: AbortSignal;
}

/** Looks into the model of a run. @throws SluiceError `checkpoint` for a folder that is no run, `data` for other data. */
export async function inspectRun(
  folder: string,
  device: Device,
  { threshold, signal, ...options }: InspectRunOptions,
): Promise<RunInspection> {
  const place = await locateModel(folder);
  const record = await readFolder(place);
  const subject = await taskNamed(record.settings.task).inspect({ folder: place, record, device }, options);
  const { model, batches, facts } = subject;
  try {
    const given = { batches, threshold, ...(signal === undefined ? {} : { signal }) };
    const whole = await inspect(model, (batch) => subject.lossOf(batch), given);
    const inspection = await fromTheLastStep(whole, subject, given);
    return { run: folder, facts, ...inspection, findings: findingsOf(inspection) };
  } finally {
    await subject.close();
  }
}

/** Replaces what time steps get of the losses of all by what they get of the last one's. */
async function fromTheLastStep(whole: Inspection, subject: Subject, options: InspectOptions): Promise<Inspection> {
  const { model, lastLossOf } = subject;
  if (lastLossOf === undefined || !whole.layers.some(({ isRecurrent }) => isRecurrent)) return whole;
  const { layers: last } = await inspect(model, (batch) => lastLossOf(batch), options);
  const layers = whole.layers.map((layer, i) => {
    return layer.isRecurrent ? { ...layer, gradientNormByStep: last[i]?.gradientNormByStep } : layer;
  });
  return { ...whole, layers };
}

/**
 * Holds that two inspections can stand side by side: layer by layer, whatever their activations.
 * @throws SluiceError `argument` that names the first layer which differs.
 */
export function requireSameShape(one: RunInspection, other: RunInspection): void {
  const shapes = [one, other].map(({ layers }) => layers.map((layer) => `${nameOf(layer)} of ${layer.units}`));
  const [mine = [], theirs = []] = shapes;
  const at = Array.from({ length: Math.max(mine.length, theirs.length) }).findIndex((_, i) => mine[i] !== theirs[i]);
  if (at < 0) return;
  throw new SluiceError('argument', {
    rule: `runs side by side have the same layers: ${one.run} has ${mine[at] ?? `only ${mine.length}`}`,
    received: `${other.run} with ${theirs[at] ?? `only ${theirs.length}`}`,
    remedy: 'Inspect each for itself, or train one of the same --layers and --hidden.',
  });
}
