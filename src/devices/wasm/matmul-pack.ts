import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { integers } from './integers.js';

type Index = Local<'i32'>;

/**
 * Emits `pack(source, lineStride, stride, lines, panels, length, out)`. A matrix of `lines` lines, cut into panels of
 * `width` of them, becomes out[(panel * length + i) * width + line] = source[line * lineStride + i * stride] for
 * i < length; lines that the panels lack are zeros. Strides in bytes.
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
  const { full, panel, position } = f.locals('i32', 'full', 'panel', 'position');
  const i = integers(f);
  i.set(full, i.least(i.divide(p.lines, width), p.panels));
  const nextPanel = () => {
    i.advance(p.source, i.multiply(p.lineStride, width));
    i.advance(p.out, i.multiply(p.length, 4 * width));
    i.advance(p.lines, -width);
  };
  i.when(
    i.equal(p.lineStride, 4),
    () => {
      i.call(across, p.source, p.stride, full, p.length, p.out);
      f.forRange(panel, 0, full, 1, nextPanel);
    },
    () =>
      i.when(i.equal(p.stride, 4), () =>
        f.forRange(panel, 0, full, 1, () => {
          i.call(transpose, p.source, p.lineStride, p.length, p.out);
          nextPanel();
        }),
      ),
  );
  f.forRange(panel, panel, p.panels, 1, () => {
    f.forRange(position, 0, width, 1, () => {
      const source = i.add(p.source, i.multiply(position, p.lineStride));
      const out = i.add(p.out, i.multiply(position, 4));
      i.call(line, source, p.stride, p.length, out, i.lessThan(position, p.lines));
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
  const i = integers(f);
  i.set(end, i.add(p.out, i.multiply(p.length, 4 * width)));
  i.when(
    p.exists,
    () =>
      f.forAddresses(p.out, p.out, end, 4 * width, () => {
        f.get(p.out, p.source);
        f.load('f32.load');
        f.store('f32.store');
        i.advance(p.source, p.stride);
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
  const i = integers(f);
  i.set(panelBytes, i.multiply(p.length, 4 * width));
  f.forRange(step, 0, p.length, 1, () => {
    i.set(to, p.out);
    i.set(end, i.add(p.source, i.multiply(p.panels, 4 * width)));
    f.forAddresses(from, p.source, end, 4 * width, () => {
      for (let position = 0; position < width; ) {
        const lanes = width - position >= 4 ? 4 : width - position >= 2 ? 2 : 1;
        f.get(to, from);
        f.load(lanes === 4 ? 'v128.load' : lanes === 2 ? 'i64.load' : 'i32.load', 4 * position);
        f.store(lanes === 4 ? 'v128.store' : lanes === 2 ? 'i64.store' : 'i32.store', 4 * position);
        position += lanes;
      }
      i.advance(to, panelBytes);
    });
    i.advance(p.source, p.stride);
    i.advance(p.out, 4 * width);
  });
  return f;
}

/** `transpose(source, lineStride, length, out)`: each line is contiguous; four numbers of four lines at a time. */
function emitTranspose(module: ModuleBuilder, width: number, line: FunctionBuilder): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 4 }, () => 'i32' as const) });
  const p = f.named('source', 'lineStride', 'length', 'out');
  const { whole, end, target } = f.locals('i32', 'whole', 'end', 'target');
  const i = integers(f);
  i.set(whole, i.and(p.length, -4));
  for (let first = 0; first < width; first += 4) {
    const lines = Array.from({ length: Math.min(4, width - first) }, () => f.local('i32'));
    lines.forEach((pointer, position) => {
      i.set(pointer, i.add(p.source, i.multiply(p.lineStride, first + position)));
    });
    i.set(end, i.add(p.out, i.multiply(whole, 4 * width), 4 * first));
    i.set(target, i.add(p.out, 4 * first));
    f.forAddresses(target, target, end, 16 * width, () => {
      if (lines.length === 4) emitTransposeFour(f, width, lines, target);
      else emitTransposeFew(f, width, lines, target);
      for (const pointer of lines) i.advance(pointer, 16);
    });
    lines.forEach((pointer, position) => {
      i.call(line, pointer, 4, i.subtract(p.length, whole), i.add(end, 4 * position), 1);
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
function transposeFour(f: FunctionBuilder, rows: readonly Local[]): readonly Local<'v128'>[] {
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
