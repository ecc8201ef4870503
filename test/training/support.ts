import { randomInteger, randomKey } from '../../src/base/random.js';
import { MemoryTokens } from '../../src/data/token-source.js';
import type { Device } from '../../src/devices/device.js';
import { type Llama, type LlamaOptions, llama } from '../../src/models/llama.js';

export const vocabSize = 12;
const key = randomKey(5, 'shuffle');
/** A text with something to learn: a token is followed by its double, or now and then by any other. */
export const text = new MemoryTokens(
  Array.from({ length: 600 }).reduce<number[]>((ids) => {
    const next = randomInteger(key, ids.length, 8) === 0 ? randomInteger(key, 1000 + ids.length, vocabSize) : undefined;
    ids.push(next ?? (2 * (ids.at(-1) ?? 1) + 1) % vocabSize);
    return ids;
  }, []),
);

export const smallModel = (device: Device, options: Partial<LlamaOptions> = {}): Llama =>
  llama(device, { vocabSize, dim: 8, layers: 1, heads: 2, hidden: 8, context: 8, ...options });
