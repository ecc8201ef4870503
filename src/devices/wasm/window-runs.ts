import type { FunctionBuilder, Local, ModuleBuilder } from './assembler.js';
import { integers } from './integers.js';

type Index = Local<'i32'>;

/** Emits what comes before a scalar loop over `count` elements: vectors of four, where both steps are 4 bytes. */
function emitRun(
  f: FunctionBuilder,
  p: Readonly<Record<'to' | 'toStep' | 'count', Index>>,
  from: Readonly<Record<'from' | 'fromStep', Index>> | undefined,
  element: () => void,
  vector: () => void,
): void {
  const i = integers(f);
  const { next, whole } = f.locals('i32', 'next', 'whole');
  const advance = (elements: number): void => {
    i.advance(p.to, i.multiply(p.toStep, elements));
    if (from !== undefined) i.advance(from.from, i.multiply(from.fromStep, elements));
  };
  const besides = i.equal(p.toStep, 4);
  i.set(whole, 0);
  i.when(from === undefined ? besides : i.and(besides, i.equal(from.fromStep, 4)), () =>
    i.set(whole, i.and(p.count, -4)),
  );
  f.forRange(next, 0, whole, 4, () => {
    vector();
    advance(4);
  });
  f.forRange(next, whole, p.count, 1, () => {
    element();
    advance(1);
  });
}

/** `copy(from, fromStep, to, toStep, count)`: elements that lie so many bytes apart; none where `count` is not positive. */
export function emitCopyRun(module: ModuleBuilder): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 5 }, () => 'i32' as const) });
  const p = f.named('from', 'fromStep', 'to', 'toStep', 'count');
  const both = (load: 'f32.load' | 'v128.load', store: 'f32.store' | 'v128.store') => () => {
    f.get(p.to, p.from);
    f.load(load, 0, 2);
    f.store(store, 0, 2);
  };
  emitRun(f, p, p, both('f32.load', 'f32.store'), both('v128.load', 'v128.store'));
  return f;
}

/** `add(from, fromStep, to, toStep, count)`: adds elements to others. */
export function emitAddRun(module: ModuleBuilder): FunctionBuilder {
  const f = module.function({ parameters: Array.from({ length: 5 }, () => 'i32' as const) });
  const p = f.named('from', 'fromStep', 'to', 'toStep', 'count');
  const both =
    (load: 'f32.load' | 'v128.load', sum: 'f32.add' | 'f32x4.add', store: 'f32.store' | 'v128.store') => () => {
      f.get(p.to, p.to);
      f.load(load, 0, 2);
      f.get(p.from);
      f.load(load, 0, 2);
      f.op(sum);
      f.store(store, 0, 2);
    };
  emitRun(f, p, p, both('f32.load', 'f32.add', 'f32.store'), both('v128.load', 'f32x4.add', 'v128.store'));
  return f;
}

/** `zero(to, toStep, count)`. */
export function emitZeroRun(module: ModuleBuilder): FunctionBuilder {
  const f = module.function({ parameters: ['i32', 'i32', 'i32'] });
  const p = f.named('to', 'toStep', 'count');
  const element = (): void => {
    f.get(p.to);
    f.f32(0);
    f.store('f32.store');
  };
  const vector = (): void => {
    f.get(p.to);
    f.f32x4(0);
    f.store('v128.store', 0, 2);
  };
  emitRun(f, p, undefined, element, vector);
  return f;
}
