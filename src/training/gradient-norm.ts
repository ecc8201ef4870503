import type { Device, View } from '../devices/device.js';
import { type RowKernel, rowKernel } from '../kernels/kernel.js';
import { named } from '../kernels/names.js';
import { constant, type Expression, substitute, variable, variables, variablesOf } from '../scalar/expression.js';
import { type Tensor, zeros } from '../tensor/index.js';
import type { SideBySide } from '../tensor/side-by-side.js';
import type { UpdateRule } from './update-rule.js';

const x = variable('x');
const squares = named(rowKernel({ elements: ['x'], outputs: [x.mul(x).sum()] }), 'sum of squares');

const [loss, applied, clip] = variables('loss', 'applied', 'clip');

const one = constant(1);
const norm = x.sum().sqrt();
const whenFinite = (then: Expression, otherwise: Expression | number): Expression =>
  norm.whereLess(3e38, loss.abs().whereLess(3e38, then, otherwise), otherwise);
const share = clip.whereLess(norm, clip.div(norm.add(1e-6)), 1);
const nextApplied = applied.add(whenFinite(one, 0));

/** The norm, what gradients are multiplied with, the steps applied, and a rule's values that a step has but once. */
const summaryOf = ({ shared }: UpdateRule, scalars: readonly string[]): RowKernel =>
  named(
    rowKernel({
      elements: ['x'],
      rows: ['loss', 'applied'],
      scalars: ['clip', ...scalars],
      outputs: [
        ...[norm, whenFinite(share, -1), nextApplied],
        ...Object.values(shared).map((value) => substitute(value, { step: nextApplied })),
      ],
    }),
    'norm and clip',
  );

/** The most numbers that are summed in one row: rounding grows slowly, and threads share the rows, however many they are. */
const longestRow = 4096;

/** Some of a block's gradients, as rows. */
interface Part {
  readonly block: SideBySide;
  readonly start: number;
  readonly rows: number;
  readonly length: number;
}

/** The gradient's global norm and what follows from it, kept on the device. */
export class GradientNorm {
  readonly norm: Tensor;
  /** What gradients are multiplied with: at most 1, or -1 when the loss or the norm is not finite. */
  readonly coefficient: Tensor;
  /** Steps applied so far. */
  readonly applied: Tensor;
  /** The rule's values that a step has but once, in its order. */
  readonly shared: readonly Tensor[];
  readonly #summary: RowKernel;
  readonly #device: Device;
  readonly #parts: readonly Part[];
  readonly #sums: Tensor;
  readonly #scalars: readonly number[];

  constructor(device: Device, blocks: readonly SideBySide[], rule: UpdateRule) {
    this.#device = device;
    this.#parts = blocks.flatMap(partsOf);
    const scalar = (): Tensor => zeros(device, [1]).keep();
    [this.norm, this.coefficient, this.applied] = [scalar(), scalar(), scalar()];
    this.shared = Object.keys(rule.shared).map(scalar);
    this.#sums = zeros(device, [this.#parts.reduce((sum, { rows }) => sum + rows, 0)]).keep();
    const used = variablesOf(Object.values(rule.shared));
    const scalars = rule.scalars.filter((name) => used.includes(name));
    this.#summary = summaryOf(rule, scalars);
    const { clip } = rule.options;
    this.#scalars = [clip > 0 ? clip : Number.MAX_VALUE, ...scalars.map((name) => rule.valueOf(name))];
  }

  dispose(): void {
    for (const tensor of [this.norm, this.coefficient, this.applied, ...this.shared, this.#sums]) tensor.dispose();
  }

  /** Measures the gradients of the parameters; `loss` is [1] or a scalar. */
  measure(loss: Tensor): void {
    let at = 0;
    const common = { columns: [], perRow: [], scalars: [] };
    for (const { block, start, rows, length } of this.#parts) {
      const { buffer, offset } = block.gradients();
      const elements = [{ buffer, offset: offset + start, shape: [rows, length], strides: [length, 1] }];
      const outputs = [vector(this.#sums.strided(), at, rows)];
      this.#device.row(squares, { ...common, rows, length, elements, outputs });
      at += rows;
    }
    this.#device.row(this.#summary, {
      rows: 1,
      length: at,
      elements: [{ ...this.#sums.strided(), shape: [1, at], strides: [at, 1] }],
      columns: [],
      perRow: [vector(loss.strided(), 0, 1), this.applied.strided()],
      scalars: this.#scalars,
      outputs: [this.norm, this.coefficient, this.applied, ...this.shared].map((tensor) => tensor.strided()),
    });
  }
}

/** Whole rows, then what is left. */
function partsOf(block: SideBySide): Part[] {
  const rows = Math.floor(block.size / longestRow);
  const rest = block.size - rows * longestRow;
  const parts = [
    { block, start: 0, rows, length: longestRow },
    { block, start: rows * longestRow, rows: 1, length: rest },
  ];
  return parts.filter((part) => part.rows * part.length > 0);
}

const vector = ({ buffer, offset }: View, start: number, length: number): View => ({
  buffer,
  offset: offset + start,
  shape: [length],
  strides: [1],
});
