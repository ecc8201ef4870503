import { SluiceError } from '../../base/errors.js';
import { completeOptions, type OptionTable } from '../../base/options.js';
import { onForward } from '../../layers/hooks.js';
import type { Layer } from '../../layers/layer.js';
import { Recurrent, type RecurrentRun } from '../../layers/recurrent.js';
import { scope, Tensor, zeros } from '../../tensor/index.js';
import { LayerRecord, type LayerReport, parametersByLayer, type Seen } from './layer-record.js';

export interface InspectOptions {
  /** How often the loss is asked for; 1 by default. */
  readonly batches?: number;
  /** A unit is saturated where |f'| is below this for most inputs; 0.01 by default. */
  readonly threshold?: number;
  readonly signal?: AbortSignal;
}

/** A loss, a scalar that is a mean; of sequences that are padded [batch, time] with the length of each. */
export type BatchLoss = Tensor | { readonly loss: Tensor; readonly lengths?: ArrayLike<number> | undefined };

/** What was seen of a model while a loss was computed and differentiated. */
export interface Inspection {
  /** The mean over batches. */
  readonly loss: number;
  readonly batches: number;
  /** Of the mean loss with respect to all parameters. */
  readonly gradientNorm: number;
  /** The layers that gave a tensor of their own, in the order of their calls: those within a layer before it. */
  readonly layers: readonly LayerReport[];
}

const inspectDefaults = { batches: 1, threshold: 0.01, signal: undefined } satisfies OptionTable<InspectOptions>;

/**
 * Looks into a model: what its layers give, which of their units are dead or saturated, and how large the gradient is that
 * comes to them. Gradients of the parameters are forgotten before and afterwards; nothing else is changed.
 * @param lossOf computes the loss of a batch by the model, in evaluation mode
 * @example await inspect(model, () => crossEntropy(model.forward(x, Mode.evaluation()), y, { reduction: 'mean' }))
 * @throws SluiceError `argument` for a count of batches that is not a whole number from 1 on.
 */
export async function inspect(
  model: Layer,
  lossOf: (batch: number) => BatchLoss | Promise<BatchLoss>,
  options: InspectOptions = {},
): Promise<Inspection> {
  const { batches, threshold, signal } = completeOptions('inspect', options, inspectDefaults);
  if (!(Number.isInteger(batches) && batches >= 1)) {
    const rule = 'batches of inspect is a whole number from 1 on';
    throw new SluiceError('argument', { rule, received: batches, remedy: 'Leave it out for 1.' });
  }
  const records = new Map<string, LayerRecord>();
  forget(model);
  let total = 0;
  for (let batch = 0; batch < batches; batch++) {
    signal?.throwIfAborted();
    const { loss, lengths, seen } = await run(model, () => lossOf(batch));
    total += await loss.item();
    loss.dispose();
    for (const one of seen) {
      const record = records.get(one.name) ?? new LayerRecord(one.name, one.layer, threshold);
      records.set(one.name, record);
      await record.add(one, lengths);
      forgetSeen(one);
    }
    for (const record of records.values()) record.endBatch();
  }
  const parameters = await parametersByLayer(model, batches);
  const squares = [...parameters.values()].reduce((sum, { gradientNorm }) => sum + gradientNorm ** 2, 0);
  forget(model);
  const layers = [...records.values()].map((record) => {
    const own = parameters.get(record.layer);
    parameters.delete(record.layer); // a layer that goes through time in several ways has its weights once
    return record.report(own);
  });
  return { loss: total / batches, batches, gradientNorm: Math.sqrt(squares), layers };
}

const forgetSeen = ({ inputs, output, probe, parts = {} }: Seen): void => {
  for (const tensor of [output, ...inputs, probe, ...Object.values(parts)]) tensor.dispose();
};

const forget = (model: Layer): void => {
  for (const parameter of model.parameters()) parameter.zeroGrad();
};

interface Pass {
  readonly loss: Tensor;
  readonly lengths: ArrayLike<number> | undefined;
  readonly seen: readonly Seen[];
}

/** A pass forward and back, with a probe behind each layer. */
async function run(model: Layer, lossOf: () => BatchLoss | Promise<BatchLoss>): Promise<Pass> {
  const seen: Seen[] = [];
  const given = new WeakSet<Tensor>();
  const held = (tensor: Tensor): Tensor => tensor.detach().keep();
  const unwatch = watchRecurrent(model, (name, layer, { output, probe, sizes, parts }) => {
    seen.push({ name, layer, inputs: [], output: held(output), probe, sizes, parts });
  });
  const unhook = onForward(model, ({ name, layer, inputs, output }) => {
    // A layer that gives what one within it gave has nothing of its own to show.
    if (given.has(output) || output.dtype !== 'float32') return undefined;
    const probe = zeros(output.device, output.shape, { requiresGrad: true }).keep();
    seen.push({ name, layer, inputs: inputs.map(held), output: held(output), probe });
    const probed = output.add(probe);
    given.add(probed);
    return probed;
  });
  try {
    const [device] = model.parameters().map((parameter) => parameter.device);
    if (device === undefined) throw new SluiceError('argument', noParameters);
    return await scope(device, async () => {
      const given = await lossOf();
      const { loss, lengths = undefined } = given instanceof Tensor ? { loss: given } : given;
      loss.backward();
      return { loss: loss.detach().keep(), lengths, seen };
    });
  } catch (error) {
    for (const one of seen) forgetSeen(one);
    throw error;
  } finally {
    unhook();
    unwatch();
  }
}

/** Watches what goes through time within a layer, where no other layer is called. */
function watchRecurrent(model: Layer, see: (name: string, layer: Layer, run: RecurrentRun) => void): () => void {
  const recurrent = [...model.namedLayers()].filter(
    (named): named is [string, Recurrent] => named[1] instanceof Recurrent,
  );
  for (const [name, layer] of recurrent) {
    layer.watch = (run) => see(name === '' ? run.name : `${name}.${run.name}`, layer, run);
  }
  return () => {
    for (const [, layer] of recurrent) layer.watch = undefined;
  };
}

const noParameters = {
  rule: 'a model that is looked into has parameters',
  received: 0,
  remedy: 'Look into the model that holds the layer.',
};
