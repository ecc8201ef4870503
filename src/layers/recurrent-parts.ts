import { type Cell, recurrentPart } from '../activations/cells.js';
import { variablesOf } from '../scalar/expression.js';
import { concat, mapTensors, type Tensor, tensor, zeros } from '../tensor/index.js';

/** What a layer and direction of a cell was given, in the order of its recurrence. */
export interface CellOperands {
  /** [rows, inputs] */
  readonly x: Tensor;
  readonly inputWeight: Tensor;
  readonly recurrentWeight: Tensor;
  readonly inputBias: Tensor | undefined;
  readonly recurrentBias: Tensor | undefined;
  /** [batch, width] of each state; 0 where there is none. */
  readonly initial: readonly (Tensor | undefined)[];
}

/**
 * What a cell's activations gave at every step, [rows, hidden] by the part's name: i, f, g, o and output of an LSTM. The
 * kernel that runs a cell keeps none of it, so that it is computed anew from the states.
 * @param histories the states after each step, [rows, width]
 * @param sizes the number of sequences at each step
 */
export function cellParts(
  cell: Cell,
  { x, inputWeight, recurrentWeight, inputBias, recurrentBias, initial }: CellOperands,
  histories: readonly Tensor[],
  sizes: readonly number[],
): Record<string, Tensor> {
  const before = histories.map((history, i) => stateBefore(history, initial[i], sizes));
  const [output = x] = before;
  const product = (of: Tensor, weight: Tensor, bias: Tensor | undefined): Tensor => {
    const plain = of.matmul(weight.transpose(0, 1));
    return bias === undefined ? plain : plain.add(bias);
  };
  const fromInput = product(x, inputWeight, inputBias);
  const fromOutput = product(output, recurrentWeight, recurrentBias);
  const { gates, apart = [] } = cell.about;
  const hidden = (inputWeight.shape[0] ?? 0) / gates.length;
  const known: Record<string, Tensor> = Object.fromEntries(cell.states.map((name, i) => [name, before[i] ?? output]));
  for (const [i, gate] of gates.entries()) {
    const [input, recurrent] = [fromInput, fromOutput].map((all) => all.narrow(1, i * hidden, hidden));
    if (input === undefined || recurrent === undefined) continue;
    known[gate] = apart.includes(gate) ? input : input.add(recurrent);
    known[recurrentPart(gate)] = recurrent;
  }
  return Object.fromEntries(
    cell.parts.map(({ name, value }) => {
      const operands = variablesOf([value]).map((variable) => [variable, known[variable] ?? output] as const);
      return [name, mapTensors([value], Object.fromEntries(operands), {}, { operation: cell.name })[0]];
    }),
  );
}

/** A state before each step: of the first one what was given, or 0. */
function stateBefore(history: Tensor, initial: Tensor | undefined, sizes: readonly number[]): Tensor {
  const [batch = 0] = sizes;
  const first = initial ?? zeros(history.device, [batch, history.shape[1] ?? 0]);
  let start = -batch;
  const places = sizes.flatMap((size, step) => {
    const rows = Array.from({ length: size }, (_, row) => start + batch + row);
    start += step === 0 ? batch : (sizes[step - 1] ?? 0);
    return rows;
  });
  return concat([first, history]).gather(tensor(history.device, Int32Array.from(places)));
}
