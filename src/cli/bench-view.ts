import type { Ceilings, DeviceBench } from '../experiments/device-bench.js';
import type { PeerBench } from '../experiments/peer-bench.js';
import type { ProcessorReport } from '../experiments/processor.js';
import type { Column, Output } from './output.js';

/** Everything that `sluice bench` measured. */
export interface BenchReport {
  readonly machine: ProcessorReport;
  /** The best of all. */
  readonly ceilings: Ceilings & { readonly productFlopsPerExponential: number };
  readonly devices: readonly DeviceBench[];
  readonly pytorch?: PeerBench;
}

const right = (title: string): Column => ({ title, align: 'right' });
const rounded = (value: number | undefined, digits = 1): string =>
  value === undefined || Number.isNaN(value) ? '' : value.toFixed(digits);
const percent = (value: number): string => `${(100 * value).toFixed(0)}%`;

/** Tables for people. */
export function showBench(output: Output, report: BenchReport): void {
  showCeilings(output, report);
  showActivations(output, report);
  showSteps(output, report);
}

function showCeilings(output: Output, { machine, ceilings, devices, pytorch }: BenchReport): void {
  const peers = pytorch === undefined ? [] : [pytorch];
  const of = (pick: (one: Ceilings) => number): string[] =>
    [ceilings, ...[...devices, ...peers].map((one) => one.ceilings)].map((one) => rounded(pick(one), 2));
  output.panel([
    ['machine', `${machine.processor}, ${machine.threads} threads, Node ${machine.node.slice(1)}`],
    ...devices.map(({ device, description }) => [device, description] as const),
    ...peers.map(({ description }) => ['pytorch', description] as const),
  ]);
  output.lines('');
  output.table(
    [
      { title: 'ceiling' },
      right('best'),
      ...devices.map(({ device }) => right(device)),
      ...peers.map(() => right('pytorch')),
    ],
    [
      ['copy, GB/s (read and write)', ...of((one) => one.copyGigabytesPerSecond)],
      ['read, GB/s', ...of((one) => one.readGigabytesPerSecond)],
      ['matrix product, GFLOP/s', ...of((one) => one.productGigaflops)],
      ['exponentials, billions a second', ...of((one) => one.gigaexponentialsPerSecond)],
    ],
  );
  output.lines('', `An exponential costs ${rounded(ceilings.productFlopsPerExponential, 0)} FLOPs of a product.`);
}

/** Nanoseconds an element; beside the best copy of the device that is first. */
function showActivations(output: Output, { ceilings, devices, pytorch }: BenchReport): void {
  const copy = 8 / ceilings.copyGigabytesPerSecond;
  const [first] = devices;
  output.lines('');
  output.table(
    [
      { title: 'activation, ns' },
      ...devices.flatMap(({ device }) => [right(`${device} value`), right('gradient')]),
      right(`${first?.device ?? ''} value, in copies`),
      right('gradient, in copies'),
      ...(pytorch === undefined ? [] : [right('pytorch, both')]),
    ],
    (first?.activations ?? []).map(({ name, value, gradient }, i) => [
      name,
      ...devices.flatMap(({ activations }) => {
        const speed = activations[i];
        return [rounded(speed?.value.nanosecondsPerElement, 3), rounded(speed?.gradient.nanosecondsPerElement, 3)];
      }),
      ...[value, gradient].map(({ nanosecondsPerElement }) => rounded(nanosecondsPerElement / copy)),
      ...(pytorch === undefined ? [] : [rounded(pytorch.activations[name], 3)]),
    ]),
  );
}

function showSteps(output: Output, { ceilings, devices, pytorch }: BenchReport): void {
  const share = (gigaflops: number): string => percent(gigaflops / ceilings.productGigaflops);
  const cells = (of: (device: DeviceBench) => { milliseconds: number; gigaflops: number } | undefined): string[] =>
    devices.flatMap((device) => {
      const speed = of(device);
      return speed === undefined
        ? ['', '', '']
        : [rounded(speed.milliseconds, 2), rounded(speed.gigaflops), share(speed.gigaflops)];
    });
  const beside = (milliseconds: number | undefined): string[] =>
    pytorch === undefined ? [] : [rounded(milliseconds, 2)];
  output.lines('');
  output.table(
    [
      { title: 'step' },
      ...devices.flatMap(({ device }) => [right(`${device} ms`), right('GFLOP/s'), right('of the product')]),
      ...(pytorch === undefined ? [] : [right('pytorch ms')]),
    ],
    [
      ...(devices[0]?.blocks ?? []).map(({ name }, i) => [
        `${name} block, forward and backward`,
        ...cells(({ blocks }) => blocks[i]),
        ...beside(name === 'swiglu' ? pytorch?.block.milliseconds : undefined),
      ]),
      [
        "the demo's training step",
        ...cells(({ trainingStep }) => trainingStep),
        ...beside(pytorch?.trainingMilliseconds),
      ],
      ["the demo's next token", ...cells(({ generation }) => generation), ...beside(pytorch?.generationMilliseconds)],
    ],
  );
  output.lines('');
  for (const { device, trainingStep, generation } of devices) {
    const [trains, writes] = [trainingStep, generation].map(({ tokensPerSecond }) => rounded(tokensPerSecond, 0));
    output.lines(`On ${device} the demo trains at ${trains} tokens per second and writes ${writes}.`);
  }
}
