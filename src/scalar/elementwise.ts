import type { Primitive } from './primitives.js';

/**
 * What numbers, expressions and tensors can all do. A subclass supplies `apply`; everything else follows,
 * so that a formula written once works on each of them.
 */
export abstract class Elementwise<Self> {
  /** Applies a primitive with `this` as its first operand. */
  abstract apply(primitive: Primitive, ...rest: readonly (Self | number)[]): Self;

  add(other: Self | number): Self {
    return this.apply('add', other);
  }
  sub(other: Self | number): Self {
    return this.apply('sub', other);
  }
  mul(other: Self | number): Self {
    return this.apply('mul', other);
  }
  div(other: Self | number): Self {
    return this.apply('div', other);
  }
  neg(): Self {
    return this.apply('neg');
  }
  abs(): Self {
    return this.apply('abs');
  }
  sign(): Self {
    return this.apply('signum');
  }
  /** The smaller of the two; at a tie the gradient goes to `other`. */
  min(other: Self | number): Self {
    return this.apply('min', other);
  }
  /** The larger of the two; at a tie the gradient goes to `other`. */
  max(other: Self | number): Self {
    return this.apply('max', other);
  }
  sqrt(): Self {
    return this.apply('sqrt');
  }
  floor(): Self {
    return this.apply('floor');
  }
  /** To the nearest integer, halves to even. */
  round(): Self {
    return this.apply('round');
  }
  pow(exponent: Self | number): Self {
    return this.apply('pow', exponent);
  }
  exp(): Self {
    return this.apply('exp');
  }
  /** exp(x) - 1 without cancellation near 0. */
  expm1(): Self {
    return this.apply('expm1');
  }
  log(): Self {
    return this.apply('log');
  }
  /** log(1 + x) without cancellation near 0. */
  log1p(): Self {
    return this.apply('log1p');
  }
  /** 1 / (1 + exp(-x)). */
  sigmoid(): Self {
    return this.apply('sigmoid');
  }
  /** sigmoid(x) sigmoid(-x), the derivative of the sigmoid. */
  logisticPdf(): Self {
    return this.apply('logisticPdf');
  }
  tanh(): Self {
    return this.apply('tanh');
  }
  /** log(1 + exp(x)) without overflow. */
  softplus(): Self {
    return this.apply('softplus');
  }
  erf(): Self {
    return this.apply('erf');
  }
  /** The standard normal's distribution function. */
  normalCdf(): Self {
    return this.apply('normalCdf');
  }
  /** The standard normal's density. */
  normalPdf(): Self {
    return this.apply('normalPdf');
  }
  /** x - tanh(x) without cancellation near 0. */
  tanhResidual(): Self {
    return this.apply('tanhResidual');
  }
  /** `then` where this is less than `bound`, else `otherwise`; the condition has no derivative. */
  whereLess(bound: Self | number, then: Self | number, otherwise: Self | number): Self {
    return this.apply('select', bound, then, otherwise);
  }
}
