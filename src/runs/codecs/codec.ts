/** What config.json holds of a type of model: all that it takes to make one, whose weights are in model.safetensors beside it. */
import { join } from 'node:path';
import * as v from 'valibot';
import { readFormula, resolveActivation } from '../../activations/catalogue.js';
import type { Activation } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import { didYouMean } from '../../base/nearest.js';
import type { Initializer } from '../../layers/initialization.js';
import type { Layer } from '../../layers/layer.js';
import { runFiles, storedFormula } from '../run-folder.js';
import { issueRule } from '../settings.js';

export type Json = Readonly<Record<string, unknown>>;

/** Writes a model's config.json, and makes the model that one describes. */
export interface ModelCodec<Config, Model extends Layer = Layer> {
  /** The `model_type` in config.json. */
  readonly type: string;
  /** What is written as config.json. */
  encode(config: Config): Json;
  /** A model of another's weights. @throws SluiceError `checkpoint` that names the file and the key. */
  build(init: Initializer, folder: string, stored: Json): Model;
}

const header = {
  model_type: v.string(),
  architectures: v.optional(v.array(v.string())),
  dtype: v.optional(v.string()),
};

type Stored<Entries extends v.ObjectEntries> = v.InferOutput<v.ObjectSchema<Entries, undefined>>;
type Written<Entries extends v.ObjectEntries> = v.InferInput<v.ObjectSchema<Entries, undefined>>;

/** A codec by the entries that its config.json has, and how they become a model. */
export function modelCodec<const Entries extends v.ObjectEntries, Config, Model extends Layer>(
  type: string,
  architecture: string,
  entries: Entries,
  {
    encode,
    build,
  }: { encode(config: Config): Written<Entries>; build(init: Initializer, stored: Stored<Entries>): Model },
): ModelCodec<Config, Model> {
  const schema = v.object(entries);
  const known = Object.keys({ ...header, ...entries });
  return {
    type,
    encode: (config) => ({
      ...{ architectures: [architecture], model_type: type },
      ...encode(config),
      dtype: 'float32',
    }),
    build: (init, folder, stored) => {
      const path = join(folder, runFiles.config);
      const unknown = Object.keys(stored).find((key) => !known.includes(key));
      if (unknown !== undefined) {
        throw new SluiceError('checkpoint', {
          rule: `${path} has only keys of the model_type ${type}`,
          received: unknown,
          remedy: didYouMean(unknown, known, `They are: ${known.join(', ')}.`),
        });
      }
      const result = v.safeParse(schema, stored);
      if (result.success) return build(init, result.output);
      const [issue] = result.issues;
      throw new SluiceError('checkpoint', {
        rule: `in ${path} ${issueRule(issue)}`,
        received: issue.input,
        remedy: 'Restore the file as Sluice wrote it, or see docs/recurrent.md for one of your own.',
      });
    },
  };
}

/** A count, from 1 on. */
export const size = v.pipe(v.number(), v.integer('is a whole number'), v.minValue(1, 'is at least 1'));

export const probability = v.pipe(v.number(), v.minValue(0, 'is at least 0'), v.ltValue(1, 'is below 1'));

/** An activation as a run stores it, or by its name or its text in x. */
export const activation = v.pipe(
  v.union([v.string(), storedFormula], 'is the name of an activation, its text, or one as a run stores it'),
  v.rawTransform(({ dataset: { value }, addIssue, NEVER }): Activation => {
    try {
      const formula = typeof value === 'string' ? resolveActivation(value) : readFormula(value);
      if (formula.kind === 'activation') return formula as Activation;
      addIssue({ message: `is an activation, not a ${formula.kind}` });
    } catch (error) {
      addIssue({ message: `is an activation: ${error instanceof Error ? error.message : error}` });
    }
    return NEVER;
  }),
);
