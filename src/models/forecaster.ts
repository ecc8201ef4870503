/**
 * Forecasts a series from a window of it: what comes next is the last value, and what a linear map and a recurrent network
 * say that it changes by. The network sees the window moved so that its last value is 0, so that a level that was never
 * met is none to it. Source: the linear part, Lai 2017, arXiv:1703.07015; the moved window, Zeng 2022, arXiv:2205.13504.
 */
import type { Initializer } from '../layers/initialization.js';
import { Layer } from '../layers/layer.js';
import { Linear } from '../layers/linear.js';
import type { Mode } from '../layers/mode.js';
import { requireAxes } from '../layers/shapes.js';
import { concat, internal, type Tensor } from '../tensor/index.js';
import { SequenceModel, type SequenceModelConfig } from './sequence-model.js';

/** What the network's answer is added to: nothing, the last value, or a linear forecast as well. */
export const shortcuts = ['none', 'last', 'linear'] as const;
export type Shortcut = (typeof shortcuts)[number];

export interface ForecasterConfig {
  /** Of its outputs, each is a step of the forecast. */
  readonly network: SequenceModelConfig;
  /** Steps of a window. */
  readonly window: number;
  readonly shortcut: Shortcut;
}

export class Forecaster extends Layer {
  readonly network: SequenceModel;
  readonly linear: Linear | undefined;
  readonly #config: ForecasterConfig;

  constructor(init: Initializer, config: ForecasterConfig) {
    super();
    this.#config = config;
    const { network, window, shortcut } = config;
    this.network = new SequenceModel(init, network);
    this.linear =
      shortcut === 'linear' ? new Linear(init, window, network.outputs, { bias: true, deviation: 0 }) : undefined;
  }

  /** [batch, window, inputs], of which the first is forecast, to [batch, steps]. */
  forward(x: Tensor, mode: Mode): Tensor {
    const { window, shortcut, network } = this.#config;
    requireAxes('a forecaster', { batch: undefined, window, inputs: network.inputs }, x);
    if (shortcut === 'none') return this.network.forward(x, mode).output;
    return internal(() => {
      const target = x.slice(-1, 0, 1);
      const last = target.slice(1, -1);
      const moved = target.sub(last);
      const signal = network.inputs === 1 ? moved : concat([moved, x.slice(-1, 1)], -1);
      const change = this.network.forward(signal, mode).output;
      const steps = change.add(last.squeeze(-1));
      return this.linear === undefined ? steps : steps.add(this.linear.forward(moved.squeeze(-1)));
    });
  }
}
