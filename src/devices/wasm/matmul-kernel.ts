import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { advance, emitPack, pushAddress } from './matmul-pack.js';

/** The block of C that stays in registers: `rows` by 4 * `vectors`. */
export interface Tile {
  readonly rows: number;
  readonly vectors: number;
}

/** What a launch of the matmul kernel does. */
export const mode = { pack: 0, multiply: 1, whole: 2 } as const;

/** The arguments of a launch, in order; strides in bytes. */
export const matmulWords = [
  'mode',
  'm',
  'n',
  'k',
  'a',
  'aBatchStride',
  'aRowStride',
  'aColumnStride',
  'b',
  'bBatchStride',
  'bRowStride',
  'bColumnStride',
  'c',
  'cBatchStride',
  'cRowStride',
  'alpha',
  'accumulate',
  'depth', // rows of B taken at a time in mode `whole`
  'packedA',
  'packedB',
  'aPanels',
  'blockRows', // work items of mode `multiply` are blocks of C
  'blockColumns',
  'columnBlocks',
] as const;
export type MatmulWord = (typeof matmulWords)[number];

type Words = Readonly<Record<MatmulWord, Local<'i32'>>>;

/** Emits `run` for one shape of tile. */
export function emitMatmul(module: ModuleBuilder, tile: Tile, relaxed: boolean): void {
  const width = 4 * tile.vectors;
  const packA = emitPack(module, tile.rows);
  const packB = emitPack(module, width);
  const block = emitBlock(module, tile, emitTile(module, tile, relaxed));
  const panels = {
    a: emitPackPanel(module, tile.rows, packA, { pointer: 'a', line: 'aRowStride', step: 'aColumnStride', size: 'm' }),
    b: emitPackPanel(module, width, packB, { pointer: 'b', line: 'bColumnStride', step: 'bRowStride', size: 'n' }),
  };
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const [block32, begin, end, scratch] = f.parameters as readonly Local<'i32'>[] as Four;
  const words = readWords(f, block32);
  const item = f.local('i32');
  const is = (value: number, then: () => void) => {
    f.get(words.mode);
    f.i32(value);
    f.op('i32.eq');
    f.if(() => f.forRange(item, begin, end, 1, then));
  };
  is(mode.pack, () => {
    f.get(item, words.aPanels);
    f.op('i32.lt_s');
    f.if(
      () => {
        f.get(block32, words.a, item, words.k, words.packedA);
        f.call(panels.a);
      },
      () => {
        f.get(block32, words.b, item, words.aPanels);
        f.op('i32.sub');
        f.get(words.k, words.packedB);
        f.call(panels.b);
      },
    );
  });
  is(mode.multiply, () => emitMultiplyItem(f, words, { block32, item, scratch, block }));
  is(mode.whole, () => emitWholeItem(f, words, { block32, item, scratch, block, panels, tile }));
}

type Four = [Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>];

function readWords(f: FunctionBuilder, block32: Local<'i32'>): Words {
  const entries = matmulWords.map((name, position) => {
    const local = f.local('i32');
    f.get(block32);
    f.load('i32.load', 4 * position);
    f.set(local);
    return [name, local] as const;
  });
  return Object.fromEntries(entries) as Words;
}

function pushWord(f: FunctionBuilder, block32: Local, name: MatmulWord): void {
  f.get(block32);
  f.load('i32.load', 4 * matmulWords.indexOf(name));
}

/** `panel(arguments, matrix, panel, depth, packed)`: packs panel number `panel` of a matrix that starts at `matrix`. */
function emitPackPanel(
  module: ModuleBuilder,
  width: number,
  pack: FunctionBuilder,
  names: {
    readonly pointer: MatmulWord;
    readonly line: MatmulWord;
    readonly step: MatmulWord;
    readonly size: MatmulWord;
  },
): FunctionBuilder {
  const f = module.function({ parameters: ['i32', 'i32', 'i32', 'i32', 'i32'] });
  const [block32, matrix, panel, depth, packed] = f.parameters as readonly Local<'i32'>[] as [...Four, Local<'i32'>];
  const first = f.local('i32');
  const left = f.local('i32');
  f.get(panel);
  f.i32(width);
  f.op('i32.mul');
  f.set(first);
  pushWord(f, block32, names.size);
  f.get(first);
  f.op('i32.sub');
  f.set(left);
  f.get(matrix, first);
  pushWord(f, block32, names.line);
  f.op('i32.mul', 'i32.add');
  pushWord(f, block32, names.line);
  pushWord(f, block32, names.step);
  f.get(left);
  f.i32(width);
  f.get(left);
  f.i32(width);
  f.op('i32.lt_s', 'select');
  f.get(depth, packed, first, depth);
  f.i32(4);
  f.op('i32.mul', 'i32.mul', 'i32.add');
  f.call(pack);
  return f;
}

interface Parts {
  readonly block32: Local<'i32'>;
  readonly item: Local<'i32'>;
  readonly scratch: Local<'i32'>;
  readonly block: FunctionBuilder;
}

/** One block of C out of packed A and B. */
function emitMultiplyItem(f: FunctionBuilder, words: Words, { block32, item, scratch, block }: Parts): void {
  const blockOf = (op: 'i32.div_u' | 'i32.rem_u', size: Local) => {
    f.get(item, words.columnBlocks);
    f.op(op);
    f.get(size);
    f.op('i32.mul');
  };
  f.get(block32, words.packedA, words.packedB, words.c, words.k);
  blockOf('i32.div_u', words.blockRows);
  blockOf('i32.rem_u', words.blockColumns);
  f.get(words.blockRows, words.blockColumns, words.accumulate, scratch);
  f.call(block);
}

interface WholeParts extends Parts {
  readonly panels: { readonly a: FunctionBuilder; readonly b: FunctionBuilder };
  readonly tile: Tile;
}

/** A whole product of the batch by one thread, packed into its scratch. */
function emitWholeItem(f: FunctionBuilder, words: Words, parts: WholeParts): void {
  const { block32, item, scratch, block, panels, tile } = parts;
  const [a, b, c, packedA, packedB] = Array.from({ length: 5 }, () => f.local('i32')) as [...Four, Local<'i32'>];
  const [position, depth, panel, count] = Array.from({ length: 4 }, () => f.local('i32')) as Four;
  const tileBytes = 16 * tile.rows * tile.vectors;
  for (const [local, base, stride] of [
    [a, words.a, words.aBatchStride],
    [b, words.b, words.bBatchStride],
    [c, words.c, words.cBatchStride],
  ] as const) {
    pushAddress(f, base, item, stride);
    f.set(local);
  }
  const packAll = (size: Local, width: number, call: () => void) => {
    f.get(size);
    f.i32(width - 1);
    f.op('i32.add');
    f.i32(width);
    f.op('i32.div_u');
    f.set(count);
    f.forRange(panel, 0, count, 1, call);
  };
  f.forRange(position, 0, words.k, words.depth, () => {
    f.get(words.depth, words.k, position);
    f.op('i32.sub');
    f.get(words.depth, words.k, position);
    f.op('i32.sub', 'i32.lt_s', 'select');
    f.set(depth);
    f.get(scratch);
    f.i32(tileBytes);
    f.op('i32.add');
    f.set(packedA);
    packAll(words.m, tile.rows, () => {
      f.get(block32, a, panel, depth, packedA);
      f.call(panels.a);
    });
    f.get(packedA, count, depth);
    f.i32(4 * tile.rows);
    f.op('i32.mul', 'i32.mul', 'i32.add');
    f.set(packedB);
    packAll(words.n, 4 * tile.vectors, () => {
      f.get(block32, b, panel, depth, packedB);
      f.call(panels.b);
    });
    f.get(block32, packedA, packedB, c, depth);
    f.i32(0);
    f.i32(0);
    f.get(words.m, words.n, words.accumulate, position);
    f.op('i32.or');
    f.get(scratch);
    f.call(block);
    pushAddress(f, a, depth, words.aColumnStride);
    f.set(a);
    pushAddress(f, b, depth, words.bRowStride);
    f.set(b);
  });
}

/**
 * `block(arguments, packedA, packedB, c, depth, row, column, rows, columns, accumulate, scratch)`: rows `row` to
 * `row + rows` and columns `column` to `column + columns` of C (as far as C goes), tile by tile. A tile over the edge
 * is made in scratch, and only what belongs to C is copied out.
 */
function emitBlock(module: ModuleBuilder, tile: Tile, multiply: FunctionBuilder): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 11 }, () => 'i32' as const) });
  const [block32, packedA, packedB, c, depth, row, column, rows, columns, accumulate, scratch] =
    f.parameters as readonly Local<'i32'>[] as [...Four, ...Four, Local<'i32'>, Local<'i32'>, Local<'i32'>];
  const width = 4 * tile.vectors;
  const merge = emitMerge(module, width);
  const [m, n, rowStride, lastRow] = Array.from({ length: 4 }, () => f.local('i32')) as Four;
  const [i, j, a, b] = Array.from({ length: 4 }, () => f.local('i32')) as Four;
  const [target, depthBytes, lastColumn] = Array.from({ length: 3 }, () => f.local('i32')) as [...Four];
  const alpha = f.local('i32');
  const least = (size: Local, from: Local, count: Local, result: Local) => {
    f.get(from, count);
    f.op('i32.add');
    f.set(result);
    f.get(result, size, result, size);
    f.op('i32.lt_s', 'select');
    f.set(result);
  };
  for (const [name, local] of [
    ['m', m],
    ['n', n],
    ['cRowStride', rowStride],
  ] as const) {
    pushWord(f, block32, name);
    f.set(local);
  }
  pushWord(f, block32, 'alpha');
  f.set(alpha);
  f.get(depth);
  f.i32(2);
  f.op('i32.shl');
  f.set(depthBytes);
  least(m, row, rows, lastRow);
  least(n, column, columns, lastColumn);
  f.forRange(j, column, lastColumn, width, () => {
    pushAddress(f, packedB, j, depthBytes);
    f.set(b);
    pushAddress(f, packedA, row, depthBytes);
    f.set(a);
    pushAddress(f, c, row, rowStride);
    f.get(j);
    f.i32(2);
    f.op('i32.shl', 'i32.add');
    f.set(target);
    f.forRange(i, row, lastRow, tile.rows, () => {
      f.get(i);
      f.i32(tile.rows);
      f.op('i32.add');
      f.get(m);
      f.op('i32.le_s');
      f.get(j);
      f.i32(width);
      f.op('i32.add');
      f.get(n);
      f.op('i32.le_s', 'i32.and');
      f.if(
        () => {
          f.get(a, b, target, depth, rowStride, alpha, accumulate);
          f.call(multiply);
        },
        () => {
          f.get(a, b, scratch, depth);
          f.i32(4 * width);
          f.get(alpha);
          f.i32(0);
          f.call(multiply);
          f.get(scratch, target, rowStride, m, i);
          f.op('i32.sub');
          f.i32(tile.rows);
          f.get(m, i);
          f.op('i32.sub');
          f.i32(tile.rows);
          f.op('i32.lt_s', 'select');
          f.get(n, j);
          f.op('i32.sub');
          f.i32(width);
          f.get(n, j);
          f.op('i32.sub');
          f.i32(width);
          f.op('i32.lt_s', 'select');
          f.get(accumulate);
          f.call(merge);
        },
      );
      pushAddress(f, a, depthBytes, tile.rows);
      f.set(a);
      pushAddress(f, target, rowStride, tile.rows);
      f.set(target);
    });
  });
  return f;
}

/** `merge(tile, c, rowStride, rows, columns, accumulate)`: the part of a tile that belongs to C. */
function emitMerge(module: ModuleBuilder, width: number): FunctionBuilder {
  const f = module.function({ parameters: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] });
  const [tile, c, rowStride, rows, columns, accumulate] = f.parameters as readonly Local<'i32'>[] as [
    ...Four,
    Local<'i32'>,
    Local<'i32'>,
  ];
  const [i, j, offset] = Array.from({ length: 3 }, () => f.local('i32')) as [...Four];
  const value = f.local('f32');
  f.forRange(i, 0, rows, 1, () => {
    f.forRange(j, 0, columns, 1, () => {
      f.get(j);
      f.i32(2);
      f.op('i32.shl');
      f.tee(offset);
      f.get(tile);
      f.op('i32.add');
      f.load('f32.load');
      f.set(value);
      f.get(accumulate);
      f.if(() => {
        f.get(c, offset);
        f.op('i32.add');
        f.load('f32.load');
        f.get(value);
        f.op('f32.add');
        f.set(value);
      });
      f.get(c, offset);
      f.op('i32.add');
      f.get(value);
      f.store('f32.store');
    });
    advance(f, tile, 4 * width);
    advance(f, c, rowStride);
  });
  return f;
}

/**
 * `multiply(a, b, c, depth, rowStride, alpha, accumulate)`: one tile of C from a panel of A and a panel of B.
 * Counting down and one turn a step: V8 11 keeps this form in registers, and spills unrolled ones.
 */
function emitTile(module: ModuleBuilder, tile: Tile, relaxed: boolean): FunctionBuilder {
  const f = module.function({ parameters: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'] });
  const [a, b, c, depth] = f.parameters as readonly Local<'i32'>[] as Four;
  const rowStride = f.parameter(4, 'i32');
  const sums = Array.from({ length: tile.rows }, () => Array.from({ length: tile.vectors }, () => f.local('v128')));
  const right = Array.from({ length: tile.vectors }, () => f.local('v128'));
  const left = f.local('v128');
  f.loop((next) => {
    right.forEach((vector, position) => {
      f.get(b);
      f.load('v128.load', 16 * position);
      f.set(vector);
    });
    sums.forEach((row, position) => {
      f.get(a);
      f.load('v128.load32_splat', 4 * position);
      f.set(left);
      row.forEach((sum, index) => {
        const vector = right[index] as Local;
        multiplyAdd(f, vector, left, sum, relaxed);
        f.set(sum);
      });
    });
    advance(f, a, 4 * tile.rows);
    advance(f, b, 16 * tile.vectors);
    f.get(depth);
    f.i32(1);
    f.op('i32.sub');
    f.tee(depth);
    f.branchIf(next);
  });
  const alpha = f.local('v128');
  f.get(f.parameter(5, 'i32')); // as a float parameter it would hold a vector register through the loop
  f.op('i32x4.splat');
  f.set(alpha);
  const write = (accumulate: boolean) =>
    sums.forEach((row, position) => {
      row.forEach((sum, index) => {
        f.get(c, sum, alpha);
        f.op('f32x4.mul');
        if (accumulate) {
          f.get(c);
          f.load('v128.load', 16 * index);
          f.op('f32x4.add');
        }
        f.store('v128.store', 16 * index);
      });
      if (position < sums.length - 1) advance(f, c, rowStride);
    });
  f.get(f.parameter(6, 'i32'));
  f.if(
    () => write(true),
    () => write(false),
  );
  return f;
}

/** Pushes left * right + sum: rounded once with relaxed SIMD, twice without. */
export function multiplyAdd(f: FunctionBuilder, left: Local, right: Local, sum: Local, relaxed: boolean): void {
  f.get(left, right);
  if (relaxed) {
    f.get(sum);
    f.op('f32x4.relaxed_madd');
  } else {
    f.op('f32x4.mul');
    f.get(sum);
    f.op('f32x4.add');
  }
}
