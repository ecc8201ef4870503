import type { Formula } from '../../activations/kinds.js';
import type { Device } from '../../devices/device.js';
import type { Carrier } from '../../formats/hugging-face/carrier.js';
import type { BlockFormula } from '../../layers/feed-forward.js';
import type { CausalModel } from '../../models/causal-model.js';
import type { ModelSummary } from '../../models/summary.js';
import type { PartialSettings, SettingName, Settings } from '../settings.js';

/** A model of text before it is built: its shape, what it costs, and how a run's folder keeps it. */
export interface CausalDesign {
  readonly vocabSize: number;
  /** Tokens of a sequence that it is trained and judged on. */
  readonly context: number;
  /** The formula of its blocks. */
  readonly formula: BlockFormula;
  /** For a person: its type, and its shape. */
  readonly description: readonly [type: string, shape: string];
  readonly summary: ModelSummary;
  /** How Transformers keeps the block, where it has the type of model. */
  readonly carrier?: Carrier;
  /** Bytes that a training step over so many tokens holds, with a vocabulary of that size. */
  trainingBytes(vocabSize: number, tokens: number): number;
  /** @param seed of its random weights; undefined where they are about to be loaded. */
  build(device: Device, seed: number | undefined): CausalModel;
  /** What is written as config.json. */
  encode(endOfText: number | undefined): Readonly<Record<string, unknown>>;
}

/** A type of model for text. */
export interface CausalModelType {
  /** What config.json has as `model_type`. */
  readonly modelTypes: readonly string[];
  /** The settings that it has a use for beside those of every model of text. */
  readonly settings: readonly SettingName[];
  /** Fills in what was left open. @throws SluiceError `argument` for settings that contradict each other. */
  complete(given: PartialSettings & Pick<Settings, 'data'>): Settings;
  /** @throws SluiceError `argument` for sizes that do not fit each other. */
  design(settings: Settings, vocabSize: number): CausalDesign;
  /**
   * What `encode` wrote, with the formula and the settings that run.json keeps.
   * @throws SluiceError `format` for a missing or impossible value.
   */
  decode(config: Readonly<Record<string, unknown>>, formula: Formula, settings: Settings): CausalDesign;
  /**
   * What config.json alone says, of a type that Hugging Face's libraries write, too.
   * @throws SluiceError `format` for a missing or impossible value, `name` for an activation that we do not have.
   */
  read?(config: Readonly<Record<string, unknown>>): CausalDesign;
}
