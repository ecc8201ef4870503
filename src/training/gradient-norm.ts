import type { Device, View } from '../devices/device.js';
import { rowKernel } from '../kernels/kernel.js';
import { named } from '../kernels/names.js';
import { constant, type Expression, variable, variables } from '../scalar/expression.js';
import { type Tensor, zeros } from '../tensor/index.js';

const x = variable('x');
const squares = named(rowKernel({ elements: ['x'], outputs: [x.mul(x).sum()] }), 'sum of squares');

const [loss, applied, clip, beta1, beta2] = variables('loss', 'applied', 'clip', 'beta1', 'beta2');

const one = constant(1);
const norm = x.sum().sqrt();
const whenFinite = (then: Expression, otherwise: Expression | number): Expression =>
  norm.whereLess(3e38, loss.abs().whereLess(3e38, then, otherwise), otherwise);
/** 1 - beta^t without cancellation. */
const correction = (beta: Expression, steps: Expression): Expression => beta.log().mul(steps).expm1().neg();
const share = clip.whereLess(norm, clip.div(norm.add(1e-6)), 1);
const nextApplied = applied.add(whenFinite(one, 0));
const summary = named(
  rowKernel({
    elements: ['x'],
    rows: ['loss', 'applied'],
    scalars: ['clip', 'beta1', 'beta2'],
    outputs: [norm, whenFinite(share, -1), nextApplied, correction(beta1, nextApplied), correction(beta2, nextApplied)],
  }),
  'norm and clip',
);

/** Rows that a tensor is summed in: enough for the threads, whatever their number, so that the sum is always the same. */
const mostRows = 64;

interface Part {
  readonly tensor: Tensor;
  readonly rows: number;
}

/** The gradient's global norm and what follows from it, kept on the device. */
export class GradientNorm {
  readonly norm: Tensor;
  /** What gradients are multiplied with: at most 1, or -1 when the loss or the norm is not finite. */
  readonly coefficient: Tensor;
  /** Steps applied so far. */
  readonly applied: Tensor;
  readonly correction1: Tensor;
  readonly correction2: Tensor;
  readonly #device: Device;
  readonly #parts: readonly Part[];
  readonly #sums: Tensor;
  readonly #scalars: readonly number[];

  constructor(
    device: Device,
    tensors: readonly Tensor[],
    { clip, beta1, beta2 }: { readonly clip: number; readonly beta1: number; readonly beta2: number },
  ) {
    this.#device = device;
    this.#parts = tensors.map((tensor) => ({ tensor, rows: rowsOf(tensor.size) }));
    const scalar = (): Tensor => zeros(device, [1]).keep();
    [this.norm, this.coefficient, this.applied] = [scalar(), scalar(), scalar()];
    [this.correction1, this.correction2] = [scalar(), scalar()];
    this.#sums = zeros(device, [this.#parts.reduce((sum, { rows }) => sum + rows, 0)]).keep();
    this.#scalars = [clip > 0 ? clip : Number.MAX_VALUE, beta1, beta2];
  }

  dispose(): void {
    for (const tensor of [this.norm, this.coefficient, this.applied, this.correction1, this.correction2, this.#sums]) {
      tensor.dispose();
    }
  }

  /** Measures the gradients of the parameters; `loss` is [1] or a scalar. */
  measure(loss: Tensor): void {
    let start = 0;
    for (const { tensor, rows } of this.#parts) {
      const length = tensor.size / rows;
      const output = vector(this.#sums.strided(), start, rows);
      start += rows;
      if (tensor.grad === undefined) {
        this.#device.write(new Float32Array(rows), output); // the sums of the last step are still there
        continue;
      }
      const { buffer, offset } = tensor.grad.strided();
      const matrix = { buffer, offset, shape: [rows, length], strides: [length, 1] };
      this.#device.row(squares, {
        rows,
        length,
        elements: [matrix],
        columns: [],
        perRow: [],
        scalars: [],
        outputs: [output],
      });
    }
    this.#device.row(summary, {
      rows: 1,
      length: start,
      elements: [{ ...this.#sums.strided(), shape: [1, start], strides: [start, 1] }],
      columns: [],
      perRow: [vector(loss.strided(), 0, 1), this.applied.strided()],
      scalars: this.#scalars,
      outputs: [this.norm, this.coefficient, this.applied, this.correction1, this.correction2].map((tensor) =>
        tensor.strided(),
      ),
    });
  }
}

/** The largest power of two up to `mostRows` that divides the size. */
function rowsOf(size: number): number {
  let rows = 1;
  while (rows < mostRows && size % (2 * rows) === 0) rows *= 2;
  return rows;
}

const vector = ({ buffer, offset }: View, start: number, length: number): View => ({
  buffer,
  offset: offset + start,
  shape: [length],
  strides: [1],
});
