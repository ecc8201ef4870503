import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';

type Pointer = Local<'i32'>;

/** Pushes `base + count * stride`. */
export function pushAddress(
  f: FunctionBuilder,
  base: Pointer,
  count: Pointer | number,
  stride: Pointer | number,
): void {
  f.get(base);
  for (const factor of [count, stride]) {
    if (typeof factor === 'number') f.i32(factor);
    else f.get(factor);
  }
  f.op('i32.mul', 'i32.add');
}

/** Adds a constant or a local to a local. */
export function advance(f: FunctionBuilder, pointer: Pointer, by: Pointer | number): void {
  f.get(pointer);
  if (typeof by === 'number') f.i32(by);
  else f.get(by);
  f.op('i32.add');
  f.set(pointer);
}

/**
 * Emits `pack(source, panelStride, stride, valid, length, out)`: a panel of `width` lines, of which `valid` exist and
 * the others are zero, becomes out[i * width + line] = source[line * panelStride + i * stride], for i < length.
 * Strides in bytes. Lines may run either way through memory: what is contiguous is read as vectors.
 */
export function emitPack(module: ModuleBuilder, width: number): FunctionBuilder {
  const line = emitPackLine(module, width);
  const f = module.function({ parameters: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] });
  const [source, panelStride, stride, valid, length, out] = f.parameters as readonly Pointer[] as PackParameters;
  f.block((done) => {
    f.get(valid);
    f.i32(width);
    f.op('i32.eq');
    f.if(() => {
      f.get(panelStride);
      f.i32(4);
      f.op('i32.eq');
      f.if(() => {
        emitCopyAcross(f, width, { source, stride, length, out });
        f.branch(done);
      });
      f.get(stride);
      f.i32(4);
      f.op('i32.eq');
      f.if(() => {
        emitTranspose(f, width, { source, panelStride, length, out }, line);
        f.branch(done);
      });
    });
    const position = f.local('i32');
    f.forRange(position, 0, width, 1, () => {
      f.get(source, stride, length, out);
      f.get(position, valid);
      f.op('i32.lt_s');
      f.call(line);
      advance(f, source, panelStride);
      advance(f, out, 4);
    });
  });
  return f;
}

type PackParameters = [Pointer, Pointer, Pointer, Pointer, Pointer, Pointer];

/** `line(source, stride, length, out, exists)`: one line of a panel, or zeros. */
function emitPackLine(module: ModuleBuilder, width: number): FunctionBuilder {
  const f = module.function({ parameters: ['i32', 'i32', 'i32', 'i32', 'i32'] });
  const [source, stride, length, out, exists] = f.parameters as readonly Pointer[] as PackParameters;
  const end = f.local('i32');
  pushAddress(f, out, length, 4 * width);
  f.set(end);
  f.get(exists);
  f.if(
    () => {
      f.forAddresses(out, out, end, 4 * width, () => {
        f.get(out, source);
        f.load('f32.load');
        f.store('f32.store');
        advance(f, source, stride);
      });
    },
    () => {
      f.forAddresses(out, out, end, 4 * width, () => {
        f.get(out);
        f.f32(0);
        f.store('f32.store');
      });
    },
  );
  return f;
}

interface CopyAcross {
  readonly source: Pointer;
  readonly stride: Pointer;
  readonly length: Pointer;
  readonly out: Pointer;
}

/** The lines lie side by side: copy `width` numbers at a time. */
function emitCopyAcross(f: FunctionBuilder, width: number, { source, stride, length, out }: CopyAcross): void {
  const end = f.local('i32');
  pushAddress(f, out, length, 4 * width);
  f.set(end);
  f.forAddresses(out, out, end, 4 * width, () => {
    for (let position = 0; position < width; ) {
      const lanes = width - position >= 4 ? 4 : width - position >= 2 ? 2 : 1;
      f.get(out, source);
      f.load(lanes === 4 ? 'v128.load' : lanes === 2 ? 'i64.load' : 'i32.load', 4 * position);
      f.store(lanes === 4 ? 'v128.store' : lanes === 2 ? 'i64.store' : 'i32.store', 4 * position);
      position += lanes;
    }
    advance(f, source, stride);
  });
}

interface Transpose {
  readonly source: Pointer;
  readonly panelStride: Pointer;
  readonly length: Pointer;
  readonly out: Pointer;
}

/** Each line is contiguous: read four numbers of a line at a time, four lines together where there are four. */
function emitTranspose(f: FunctionBuilder, width: number, operands: Transpose, line: FunctionBuilder): void {
  const { source, panelStride, length, out } = operands;
  const rest = f.local('i32');
  const whole = f.local('i32');
  const end = f.local('i32');
  const target = f.local('i32');
  const one = f.local('i32');
  f.get(length);
  f.i32(3);
  f.op('i32.and');
  f.set(rest);
  f.get(length, rest);
  f.op('i32.sub');
  f.set(whole);
  for (let first = 0; first < width; first += 4) {
    const lines = Array.from({ length: Math.min(4, width - first) }, () => f.local('i32'));
    lines.forEach((pointer, position) => {
      pushAddress(f, source, panelStride, first + position);
      f.set(pointer);
    });
    pushAddress(f, out, whole, 4 * width);
    f.i32(4 * first);
    f.op('i32.add');
    f.set(end);
    f.get(out);
    f.i32(4 * first);
    f.op('i32.add');
    f.set(target);
    f.forAddresses(target, target, end, 16 * width, () => {
      if (lines.length === 4) emitTransposeFour(f, width, lines, target);
      else emitTransposeFew(f, width, lines, target);
      for (const pointer of lines) advance(f, pointer, 16);
    });
    lines.forEach((pointer, position) => {
      f.get(end);
      f.i32(4 * position);
      f.op('i32.add');
      f.set(target);
      f.get(pointer);
      f.i32(4);
      f.get(rest, target);
      f.i32(1);
      f.set(one);
      f.get(one);
      f.call(line);
    });
  }
}

function emitTransposeFew(f: FunctionBuilder, width: number, lines: readonly Pointer[], target: Pointer): void {
  for (let step = 0; step < 4; step++)
    lines.forEach((pointer, position) => {
      f.get(target, pointer);
      f.load('f32.load', 4 * step);
      f.store('f32.store', 4 * (step * width + position));
    });
}

function emitTransposeFour(f: FunctionBuilder, width: number, lines: readonly Pointer[], target: Pointer): void {
  const loaded = lines.map((pointer) => {
    const value = f.local('v128');
    f.get(pointer);
    f.load('v128.load');
    f.set(value);
    return value;
  });
  transposeFour(f, loaded).forEach((value, step) => {
    f.get(target, value);
    f.store('v128.store', 4 * step * width);
  });
}

/** The columns of a four by four block whose rows are given, as new locals. */
export function transposeFour(f: FunctionBuilder, rows: readonly Local[]): readonly Local<'v128'>[] {
  const [a, b, c, d] = rows as readonly [Local, Local, Local, Local];
  const mix = (left: Local, right: Local, lanes: readonly [number, number, number, number]) => {
    const result = f.local('v128');
    f.get(left, right);
    f.shuffle32(lanes);
    f.set(result);
    return result;
  };
  const lowPairs = mix(a, b, [0, 4, 1, 5]);
  const highPairs = mix(a, b, [2, 6, 3, 7]);
  const lowOthers = mix(c, d, [0, 4, 1, 5]);
  const highOthers = mix(c, d, [2, 6, 3, 7]);
  return [
    mix(lowPairs, lowOthers, [0, 1, 4, 5]),
    mix(lowPairs, lowOthers, [2, 3, 6, 7]),
    mix(highPairs, highOthers, [0, 1, 4, 5]),
    mix(highPairs, highOthers, [2, 3, 6, 7]),
  ];
}
