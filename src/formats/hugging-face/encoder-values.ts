/** What the configurations of encoders have in common. */
import { SluiceError } from '../../base/errors.js';
import type { EncoderHead } from '../../models/encoder.js';
import { countOf, type Json, recordOf } from './config-values.js';

const suffixes: Readonly<Record<EncoderHead, string>> = {
  none: 'Model',
  words: 'ForMaskedLM',
  texts: 'ForSequenceClassification',
  tokens: 'ForTokenClassification',
};

/** The class of Transformers that has the head: `BertForMaskedLM`. */
export const architecture = (family: string, head: EncoderHead): string => `${family}${suffixes[head]}`;

/** The head that `architectures` names; none where it names another. */
export function headOf(json: Json): EncoderHead {
  const names: unknown = json['architectures'];
  const [name] = Array.isArray(names) ? names : [];
  if (String(name).endsWith('ForPreTraining')) return 'words';
  const found = Object.entries(suffixes).find(([head, suffix]) => head !== 'none' && String(name).endsWith(suffix));
  return (found?.[0] ?? 'none') as EncoderHead;
}

export const encodeLabels = (labels: readonly string[]): Json =>
  labels.length === 0
    ? {}
    : {
        id2label: Object.fromEntries(labels.map((label, i) => [String(i), label])),
        label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
      };

/** The classes in their order; as in Transformers two where config.json names none. */
export function labelsOf(json: Json, head: EncoderHead): string[] {
  if (head === 'none' || head === 'words') return [];
  const names = recordOf(json, 'id2label');
  const count = Object.keys(names).length;
  if (count === 0) {
    const labels = countOf(json, 'num_labels', 2);
    return Array.from({ length: labels }, (_, i) => `LABEL_${i}`);
  }
  return Array.from({ length: count }, (_, i) => {
    const name = names[String(i)];
    if (typeof name === 'string') return name;
    throw new SluiceError('format', {
      rule: 'id2label in config.json has a name for each class, counted from 0',
      received: names,
      remedy: `Give class ${i} a name.`,
    });
  });
}

/** Holds that what is of no other value here is left out, or has it. @throws SluiceError `format`. */
export function requirePlain(json: Json, plain: Json): void {
  for (const [key, value] of Object.entries(plain)) {
    const found = json[key] ?? value;
    if (found === value) continue;
    throw new SluiceError('format', {
      rule: `${key} in config.json is ${String(value)} here`,
      received: found,
      remedy: 'With another value the model would compute something else: choose one that has it.',
    });
  }
}
