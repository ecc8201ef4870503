import type { FunctionBuilder, Local } from './assembler.js';
import type { AttentionLocals } from './attention-arguments.js';
import type { Tile } from './matmul-tile.js';

/** What the emitters of an attention kernel share: its local variables, its scratch and the functions it calls. */
export interface AttentionParts<Names extends string, Places extends string> {
  readonly words: AttentionLocals;
  readonly l: Readonly<Record<Names, Local<'i32'>>>;
  /** Where the parts of the scratch are. */
  readonly at: Readonly<Record<Places, Local<'i32'>>>;
  /** Bytes of a dense row of a head. */
  readonly line: number;
  readonly tile: Tile;
  readonly multiply: FunctionBuilder;
  readonly pack: FunctionBuilder;
  readonly copy: FunctionBuilder;
}
