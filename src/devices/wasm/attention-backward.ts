import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import type { AttentionLocals } from './attention-arguments.js';
import { attentionWords, pushVector, setKeyLength, visibleKeys } from './attention-arguments.js';
import type { Exponential } from './attention-exponential.js';
import { keyBlock, panelWidth, queryBlock } from './attention-forward.js';
import { emitCopyRows, emitGradientRow, fillZero } from './attention-rows.js';
import { integers } from './integers.js';
import { emitPack } from './matmul-pack.js';
import type { Tile } from './matmul-tile.js';
import { emitTile } from './matmul-tile.js';
import { readWords } from './words.js';

const floatOne = 0x3f80_0000;
const scoreLine = 4 * keyBlock;

/** Scratch of one thread, in bytes from its start. */
export function backwardLayout(tile: Tile, headDim: number) {
  const line = 4 * Math.ceil(headDim / panelWidth) * panelWidth;
  const rows = queryBlock(tile);
  const sizes = {
    queries: rows * line,
    gradients: rows * line, // of the output
    packedKeys: keyBlock * line,
    packedValues: keyBlock * line,
    keys: keyBlock * line,
    keySums: keyBlock * line,
    valueSums: keyBlock * line,
    weights: rows * scoreLine,
    scores: rows * scoreLine, // their gradients
    deltas: 4 * rows,
  };
  let bytes = 0;
  const offsets = Object.fromEntries(
    Object.entries(sizes).map(([name, size]) => {
      const offset = bytes;
      bytes += size;
      return [name, offset];
    }),
  ) as Record<keyof typeof sizes, number>;
  return { line, offsets, bytes };
}
