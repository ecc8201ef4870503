import { SluiceError } from '../../base/errors.js';
import type { Examples } from '../../data/examples.js';
import type { TableEncoding } from '../../data/table-encoding.js';
import type { Device } from '../../devices/device.js';
import { type Tensor, tensor } from '../../tensor/index.js';
import { binaryCrossEntropy, crossEntropy, huber, meanSquaredError } from '../../training/losses.js';
import type { LossName, Settings } from '../settings.js';

/** What stands behind a model's outputs: how many there are, what they are trained by, and what they say. */
export interface Head {
  readonly loss: string;
  /** Numbers that the model gives for an example, or for each of its steps that a class is said at. */
  readonly outputs: number;
  /** What the loss compares outputs with. */
  targets(device: Device, targets: Examples['targets']): Tensor;
  /** The losses of examples, added up; where an example has several targets, its loss is their mean. */
  lossOf(outputs: Tensor, targets: Tensor, labelSmoothing?: number): Tensor;
  /** By how much the example's class, or its first output, is ahead: a number for each class. */
  scores(outputs: ArrayLike<number>): Float64Array;
}

const sum = { reduction: 'sum' } as const;
const shared = (loss: Tensor, perExample: number): Tensor => (perExample === 1 ? loss : loss.div(perExample));

const ofClasses = (classes: number, perExample: number): Head => ({
  loss: 'cross-entropy',
  outputs: classes,
  targets: (device, targets) => tensor(device, targets, [targets.length], { dtype: 'int32' }),
  lossOf: (outputs, targets, labelSmoothing = 0) =>
    shared(crossEntropy(outputs, targets, { labelSmoothing, ...sum }), perExample),
  scores: (outputs) => Float64Array.from(outputs),
});

/** One output, the logit of the second class. */
const ofTwoClasses = (posWeight = 1): Head => ({
  loss: 'binary cross-entropy',
  outputs: 1,
  targets: (device, targets) => tensor(device, Float32Array.from(targets), [targets.length, 1]),
  lossOf: (outputs, targets) => binaryCrossEntropy(outputs, targets, posWeight === 1 ? sum : { ...sum, posWeight }),
  scores: ([logit = 0]: ArrayLike<number> & Iterable<number>) => Float64Array.of(0, logit),
});

const ofValues = (loss: string, outputs: number, lossOf: Head['lossOf']): Head => ({
  loss,
  outputs,
  targets: (device, targets) => tensor(device, Float32Array.from(targets), [targets.length / outputs, outputs]),
  lossOf: (predictions, targets) => shared(lossOf(predictions, targets), outputs),
  scores: (outputs) => Float64Array.from(outputs),
});

const targetsOf = ({ sequence }: TableEncoding): number => sequence?.targets ?? 1;

const heads: Readonly<Record<LossName, (encoding: TableEncoding, posWeight?: number) => Head>> = {
  'cross-entropy': (encoding) =>
    ofClasses(encoding.target.kind === 'words' ? encoding.target.words.length : 1, targetsOf(encoding)),
  'binary-cross-entropy': (_, posWeight) => ofTwoClasses(posWeight),
  mse: (encoding) =>
    ofValues('squared error', targetsOf(encoding), (outputs, targets) => meanSquaredError(outputs, targets, sum)),
  huber: (encoding) =>
    ofValues("Huber's loss", targetsOf(encoding), (outputs, targets) => huber(outputs, targets, sum)),
};

/** Losses of classes; the others are of values. */
export const isClassLoss = (loss: LossName): boolean => loss.endsWith('cross-entropy');

/** The head that suits the target, or the one asked for. @throws SluiceError `argument` for a loss of another kind of target. */
export function headOf(
  encoding: TableEncoding,
  {
    loss,
    posWeight,
    labelSmoothing = 0,
  }: Pick<Settings, 'loss' | 'posWeight'> & Partial<Pick<Settings, 'labelSmoothing'>>,
): Head {
  const { target } = encoding;
  const isClasses = target.kind === 'words';
  const name = loss ?? (isClasses ? 'cross-entropy' : 'mse');
  const fits =
    isClassLoss(name) === isClasses && (name !== 'binary-cross-entropy' || !isClasses || target.words.length === 2);
  if (fits && posWeight !== undefined && name !== 'binary-cross-entropy') {
    throw new SluiceError('argument', {
      rule: '--pos-weight is of the loss binary-cross-entropy',
      received: `--pos-weight ${posWeight} with ${name}`,
      remedy: 'Add --loss binary-cross-entropy, of two classes, or leave it out.',
    });
  }
  if (fits && labelSmoothing > 0 && name !== 'cross-entropy') {
    throw new SluiceError('argument', {
      rule: '--label-smoothing is of the loss cross-entropy',
      received: `--label-smoothing ${labelSmoothing} with ${name}`,
      remedy: 'Leave it out, or --loss for classes.',
    });
  }
  if (fits) return heads[name](encoding, posWeight);
  throw new SluiceError('argument', {
    rule: `${name} is a loss of ${isClassLoss(name) ? `${name === 'binary-cross-entropy' ? 'two ' : ''}classes` : 'values'}`,
    received: isClasses ? `${target.words.length} classes of ${target.name}` : `values of ${target.name}`,
    remedy: `Leave --loss out for ${isClasses ? 'cross-entropy' : 'mse'}.`,
  });
}
