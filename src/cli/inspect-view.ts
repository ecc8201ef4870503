import type { RunInspection } from '../runs/inspect-run.js';
import { nameOf } from '../training/inspection/findings.js';
import type { LayerReport } from '../training/inspection/layer-record.js';
import { brief, type Column, type Output } from './output.js';

const right = (title: string): Column => ({ title, align: 'right' });
/** Three digits; far from 1 by a power of ten, so that what vanishes is seen at a glance. */
const figure = (value: number): string => {
  const size = Math.abs(value);
  return (size > 0 && size < 1e-3) || (size >= 1e6 && size < Number.POSITIVE_INFINITY)
    ? value.toExponential(2)
    : brief(value, 3);
};
const share = (value: number | undefined): string =>
  value === undefined ? '' : value === 0 ? '0' : `${brief(100 * value, 2)} %`;

/** The width of the longest bar. */
const widest = 16;

/** Norms as bars, by their powers of ten among `all`: what vanishes would have none on a straight scale. */
function barsOf(norms: readonly number[], all = norms): string[] {
  const logs = all.filter((norm) => norm > 0 && Number.isFinite(norm)).map(Math.log10);
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  // Within a power of ten all are alike.
  const step = Math.max(1, high - low) / (widest - 1);
  return norms.map((norm) => {
    if (!(norm > 0 && Number.isFinite(norm))) return '';
    return '▇'.repeat(Math.max(1, widest - Math.round((high - Math.log10(norm)) / step)));
  });
}

/** A table with a row for each layer, and what it means. */
export function showInspection(output: Output, inspection: RunInspection): void {
  const { facts, loss, gradientNorm, layers } = inspection;
  output.panel([...facts, ['loss', figure(loss)], ['gradient', `${figure(gradientNorm)}, of all parameters`]]);
  output.lines('');
  const bars = barsOf(layers.map((layer) => layer.gradientNorm));
  const isReached = layers.every(({ unreached }) => unreached === 0);
  output.table(
    [
      ...[{ title: 'layer' }, { title: 'kind' }, right('units'), right('mean'), right('variance'), right('of a unit')],
      ...[
        right('kurtosis'),
        right('largest'),
        right('dead'),
        right('saturated'),
        ...(isReached ? [] : [right('unreached')]),
      ],
      ...[right('weight gradient'), right('gradient'), { title: '' }],
    ],
    layers.map((layer, i) => [
      ...[
        nameOf(layer),
        layer.kind,
        String(layer.units),
        figure(layer.mean),
        figure(layer.variance),
        figure(layer.unitVariance),
      ],
      ...[Number.isNaN(layer.kurtosis) ? '' : figure(layer.kurtosis), figure(layer.largest)],
      ...[share(layer.dead), share(layer.saturated), ...(isReached ? [] : [share(layer.unreached)])],
      ...[layer.parameters === undefined ? '' : figure(layer.parameters.gradientNorm)],
      ...[figure(layer.gradientNorm), bars[i] ?? ''],
    ]),
  );
  for (const layer of layers) showTime(output, [layer]);
  showFindings(output, inspection);
}

/** At most so many time steps are lines. */
const mostSteps = 20;

/** What a recurrent layer of one run, or of several, does through time. */
function showTime(output: Output, layers: readonly LayerReport[]): void {
  showSteps(output, layers);
  showGates(output, layers);
}

/** How far the gates of a recurrent layer are saturated: shares of all values, and of units that stay at an end. */
function showGates(output: Output, layers: readonly LayerReport[]): void {
  const all = layers.flatMap(({ gates = [] }) => gates);
  const [first] = layers;
  if (first === undefined || all.length === 0) return;
  const number = (k: number): string => (layers.length === 1 ? '' : ` ${k + 1}`);
  const heads = ['mean', 'near low', 'near high', 'units low', 'units high'];
  const names = [...new Set(all.map(({ name }) => name))];
  output.lines('', `The gates of ${nameOf(first)}: values within a tenth of an end, and units that stay there:`);
  output.table(
    [
      ...[{ title: 'gate' }, { title: 'activation' }, { title: 'ends' }],
      ...layers.flatMap((_, k) => heads.map((title) => right(`${title}${number(k)}`))),
    ],
    names.map((name) => {
      const own = layers.map(({ gates = [] }) => gates.find((gate) => gate.name === name));
      const [known] = own.filter((gate) => gate !== undefined);
      return [
        ...[name, known?.activation ?? '', known?.ends.map(figure).join(' to ') ?? ''],
        ...own.flatMap((gate) =>
          gate === undefined ? heads.map(() => '') : [figure(gate.mean), ...[...gate.near, ...gate.units].map(share)],
        ),
      ];
    }),
  );
}

/** The gradient of the last answer through time, in a recurrent layer of one run or of several. */
function showSteps(output: Output, layers: readonly LayerReport[]): void {
  const [first] = layers;
  if (first === undefined || !layers.every(({ isRecurrent }) => isRecurrent)) return;
  output.lines('', `The gradient at each time step of ${nameOf(first)}, the last one first:`);
  const norms = layers.map(({ gradientNormByStep = [] }) => gradientNormByStep);
  const length = Math.max(...norms.map((each) => each.length));
  const every = Math.ceil(length / mostSteps);
  const steps = Array.from({ length }, (_, i) => length - 1 - i);
  const shown = steps.filter((step, i) => i % every === 0 || step === 0);
  const columns = norms.map((each) => shown.map((step) => each[step] ?? Number.NaN));
  const bars = columns.map((column) => barsOf(column, columns.flat()));
  const number = (k: number): string => (layers.length === 1 ? '' : ` ${k + 1}`);
  output.table(
    [right('step'), ...layers.flatMap((_, k): Column[] => [right(`gradient${number(k)}`), { title: '' }])],
    shown.map((step, i) => [
      String(step + 1),
      ...norms.flatMap((each, k) => [each[step] === undefined ? '' : figure(each[step]), bars[k]?.[i] ?? '']),
    ]),
  );
}

function showFindings(output: Output, { findings }: RunInspection, of = ''): void {
  output.lines('', ...(findings.length === 0 ? [`${of}nothing vanishes, explodes, is dead or saturated`] : []));
  output.lines(...findings.map(({ kind, message }) => `${of}${output.style('yellow', kind)}: ${message}`));
}

/** Two runs of the same layers, side by side. */
export function showComparison(output: Output, one: RunInspection, other: RunInspection): void {
  const both = [one, other];
  output.panel(both.flatMap(({ run, facts }, i) => [[`${i + 1}`, run] as const, ...facts]));
  output.lines('');
  const pair = (title: string): Column[] => both.map((_, i) => right(`${title} ${i + 1}`));
  const norms = both.map(({ layers }) => layers.map((layer) => layer.gradientNorm));
  const bars = norms.map((column) => barsOf(column, norms.flat()));
  output.table(
    [
      { title: 'layer' },
      ...both.map((_, i): Column => ({ title: `kind ${i + 1}` })),
      ...[...pair('variance'), ...pair('dead'), ...pair('saturated')],
      ...both.flatMap((_, i): Column[] => [right(`gradient ${i + 1}`), { title: '' }]),
    ],
    one.layers.map((layer, i) => {
      const layers = [layer, other.layers[i]].filter((each) => each !== undefined);
      return [
        nameOf(layer),
        ...layers.map(({ kind }) => kind),
        ...layers.map(({ variance }) => figure(variance)),
        ...layers.map(({ dead }) => share(dead)),
        ...layers.map(({ saturated }) => share(saturated)),
        ...layers.flatMap((each, k) => [figure(each.gradientNorm), bars[k]?.[i] ?? '']),
      ];
    }),
  );
  one.layers.forEach((layer, i) => {
    showTime(
      output,
      [layer, other.layers[i]].filter((each) => each !== undefined),
    );
  });
  both.forEach((inspection, i) => {
    showFindings(output, inspection, `${i + 1} `);
  });
}
