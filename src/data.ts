/** `sluice/data`: tokenizers and batches over text in memory; for text in files see `sluice/node`. */
export {
  type BaselineResult,
  KneserNey,
  type KneserNeyOptions,
  trainKneserNey,
} from './data/baselines.js';
export {
  type Batch,
  type BatchShape,
  ignoreIndex,
  type SampleOptions,
  type SequentialBatch,
  type SequentialOptions,
  sampleBatch,
  sequentialBatches,
} from './data/batches.js';
export { BpeTokenizer } from './data/bpe-tokenizer.js';
export { type BpeTrainerOptions, type BpeTrainerProgress, trainBpe } from './data/bpe-trainer.js';
export { ByteTokenizer } from './data/byte-tokenizer.js';
export { CharTokenizer, collectCharacters } from './data/char-tokenizer.js';
export {
  type EpochOptions,
  type Examples,
  epochBatches,
  lengthsOf,
  offsetsOf,
  type Parts,
  permutation,
  selectExamples,
  stratifiedSplit,
} from './data/examples.js';
export { piecesOf, type TextPiece, type TextPieces } from './data/pieces.js';
export { PretrainedTokenizer } from './data/pretrained-tokenizer.js';
export { type Entanglement, type Separation, separability } from './data/separability.js';
export { type AddingOptions, type CopyOptions, drawAdding, drawCopy } from './data/sequence-tasks.js';
export {
  type LengthBatchOptions,
  lengthBatches,
  type Padded,
  type PaddedExamples,
  pad,
  padExamples,
} from './data/sequences.js';
export { splitText } from './data/split.js';
export { MemoryTokens, type TokenArray, type TokenSource, tokenizeInMemory } from './data/token-source.js';
export {
  type EncodingProgress,
  encodeAll,
  type StreamDecoder,
  type Tokenizer,
  type TokenizerFiles,
  type TokenizerKind,
  tokenByteLengths,
} from './data/tokenizer.js';
export { tokenizerFromFiles } from './data/tokenizer-files.js';
export {
  parseTokenizerSpec,
  type TokenizerSpec,
  type TrainTokenizerOptions,
  trainTokenizer,
} from './data/tokenizer-spec.js';
export { drawPoints, type ToyTask, type ToyTaskName, toyTaskNames, toyTasks } from './data/toy-tasks.js';
