import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';

type Index = Local<'i32'>;

/** Pushes `base + count * stride`. */
export function pushAddress(f: FunctionBuilder, base: Index, count: Index | number, stride: Index | number): void {
  f.get(base);
  for (const factor of [count, stride]) {
    if (typeof factor === 'number') f.i32(factor);
    else f.get(factor);
  }
  f.op('i32.mul', 'i32.add');
}

/** Adds a constant or a local to a local. */
export function advance(f: FunctionBuilder, pointer: Index, by: Index | number): void {
  f.get(pointer);
  if (typeof by === 'number') f.i32(by);
  else f.get(by);
  f.op('i32.add');
  f.set(pointer);
}

/** Pushes min(left, right). */
export function pushLeast(f: FunctionBuilder, left: Index, right: Index | number): void {
  for (let time = 0; time < 2; time++) {
    f.get(left);
    if (typeof right === 'number') f.i32(right);
    else f.get(right);
  }
  f.op('i32.lt_s', 'select');
}

/**
 * Emits `pack(source, lineStride, stride, lines, panels, length, out)`. A matrix of `lines` lines, cut into panels of
 * `width` of them, becomes out[(panel * length + i) * width + line] = source[line * lineStride + i * stride] for
 * i < length; lines that the last panel lacks are zeros. Strides in bytes.
 *
 * What is contiguous is read as vectors. Lines side by side are read across all panels at once: panel by panel, each
 * cache line would be used in part only, and be gone before its next use.
 */
export function emitPack(module: ModuleBuilder, width: number): FunctionBuilder {
  const line = emitPackLine(module, width);
  const transpose = emitTranspose(module, width, line);
  const across = emitCopyAcross(module, width);
  const f = module.function({ parameters: Array.from({ length: 7 }, () => 'i32' as const) });
  const p = f.named('source', 'lineStride', 'stride', 'lines', 'panels', 'length', 'out');
  const { full, panel, position, panelStride, panelBytes } = f.locals(
    'i32',
    'full',
    'panel',
    'position',
    'panelStride',
    'panelBytes',
  );
  const setProduct = (result: Index, value: Index, factor: number) => {
    f.get(value);
    f.i32(factor);
    f.op('i32.mul');
    f.set(result);
  };
  setProduct(panelStride, p.lineStride, width);
  setProduct(panelBytes, p.length, 4 * width);
  f.get(p.lines);
  f.i32(width);
  f.op('i32.div_s');
  f.set(full);
  pushLeast(f, full, p.panels);
  f.set(full);
  const nextPanel = () => {
    advance(f, p.source, panelStride);
    advance(f, p.out, panelBytes);
    advance(f, p.lines, -width);
  };
  f.get(p.lineStride);
  f.i32(4);
  f.op('i32.eq');
  f.if(() => {
    f.get(p.source, p.stride, full, p.length, p.out);
    f.call(across);
    f.forRange(panel, 0, full, 1, nextPanel);
  });
  f.get(p.stride);
  f.i32(4);
  f.op('i32.eq');
  f.get(p.lineStride);
  f.i32(4);
  f.op('i32.ne', 'i32.and');
  f.if(() =>
    f.forRange(panel, 0, full, 1, () => {
      f.get(p.source, p.lineStride, p.length, p.out);
      f.call(transpose);
      nextPanel();
    }),
  );
  f.forRange(panel, panel, p.panels, 1, () => {
    f.forRange(position, 0, width, 1, () => {
      pushAddress(f, p.source, position, p.lineStride);
      f.get(p.stride, p.length);
      pushAddress(f, p.out, position, 4);
      f.get(position, p.lines);
      f.op('i32.lt_s');
      f.call(line);
    });
    nextPanel();
  });
  return f;
}

/** `line(source, stride, length, out, exists)`: one line of a panel, or zeros. */
function emitPackLine(module: ModuleBuilder, width: number): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 5 }, () => 'i32' as const) });
  const p = f.named('source', 'stride', 'length', 'out', 'exists');
  const end = f.local('i32');
  pushAddress(f, p.out, p.length, 4 * width);
  f.set(end);
  f.get(p.exists);
  f.if(
    () =>
      f.forAddresses(p.out, p.out, end, 4 * width, () => {
        f.get(p.out, p.source);
        f.load('f32.load');
        f.store('f32.store');
        advance(f, p.source, p.stride);
      }),
    () =>
      f.forAddresses(p.out, p.out, end, 4 * width, () => {
        f.get(p.out);
        f.f32(0);
        f.store('f32.store');
      }),
  );
  return f;
}

/** `across(source, stride, panels, length, out)`: lines side by side, so that each step copies a run of numbers. */
function emitCopyAcross(module: ModuleBuilder, width: number): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 5 }, () => 'i32' as const) });
  const p = f.named('source', 'stride', 'panels', 'length', 'out');
  const { step, from, to, end, panelBytes } = f.locals('i32', 'step', 'from', 'to', 'end', 'panelBytes');
  f.get(p.length);
  f.i32(4 * width);
  f.op('i32.mul');
  f.set(panelBytes);
  f.forRange(step, 0, p.length, 1, () => {
    f.get(p.out);
    f.set(to);
    pushAddress(f, p.source, p.panels, 4 * width);
    f.set(end);
    f.forAddresses(from, p.source, end, 4 * width, () => {
      for (let position = 0; position < width; ) {
        const lanes = width - position >= 4 ? 4 : width - position >= 2 ? 2 : 1;
        f.get(to, from);
        f.load(lanes === 4 ? 'v128.load' : lanes === 2 ? 'i64.load' : 'i32.load', 4 * position);
        f.store(lanes === 4 ? 'v128.store' : lanes === 2 ? 'i64.store' : 'i32.store', 4 * position);
        position += lanes;
      }
      advance(f, to, panelBytes);
    });
    advance(f, p.source, p.stride);
    advance(f, p.out, 4 * width);
  });
  return f;
}

/** `transpose(source, lineStride, length, out)`: each line is contiguous; four numbers of four lines at a time. */
function emitTranspose(module: ModuleBuilder, width: number, line: FunctionBuilder): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 4 }, () => 'i32' as const) });
  const p = f.named('source', 'lineStride', 'length', 'out');
  const { whole, end, target } = f.locals('i32', 'whole', 'end', 'target');
  f.get(p.length);
  f.i32(-4);
  f.op('i32.and');
  f.set(whole);
  for (let first = 0; first < width; first += 4) {
    const lines = Array.from({ length: Math.min(4, width - first) }, () => f.local('i32'));
    lines.forEach((pointer, position) => {
      pushAddress(f, p.source, p.lineStride, first + position);
      f.set(pointer);
    });
    pushAddress(f, p.out, whole, 4 * width);
    f.i32(4 * first);
    f.op('i32.add');
    f.set(end);
    pushAddress(f, p.out, first, 4);
    f.set(target);
    f.forAddresses(target, target, end, 16 * width, () => {
      if (lines.length === 4) emitTransposeFour(f, width, lines, target);
      else emitTransposeFew(f, width, lines, target);
      for (const pointer of lines) advance(f, pointer, 16);
    });
    lines.forEach((pointer, position) => {
      f.get(pointer);
      f.i32(4);
      f.get(p.length, whole);
      f.op('i32.sub');
      pushAddress(f, end, position, 4);
      f.i32(1);
      f.call(line);
    });
  }
  return f;
}

function emitTransposeFew(f: FunctionBuilder, width: number, lines: readonly Index[], target: Index): void {
  for (let step = 0; step < 4; step++)
    lines.forEach((pointer, position) => {
      f.get(target, pointer);
      f.load('f32.load', 4 * step);
      f.store('f32.store', 4 * (step * width + position));
    });
}

function emitTransposeFour(f: FunctionBuilder, width: number, lines: readonly Index[], target: Index): void {
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
