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

/** Norms as bars, a power of ten a step: what vanishes would have none on a straight scale. */
function barsOf(norms: readonly number[]): string[] {
  const logs = norms.filter((norm) => norm > 0 && Number.isFinite(norm)).map(Math.log10);
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
  for (const layer of layers) showSteps(output, layer);
  showFindings(output, inspection);
}

/** At most so many time steps are lines. */
const mostSteps = 20;

/** The gradient through time of a recurrent layer. */
function showSteps(output: Output, layer: LayerReport): void {
  const norms = layer.gradientNormByStep ?? [];
  if (!layer.isRecurrent) return;
  output.lines('', `The gradient at each time step of ${nameOf(layer)}, the last one first:`);
  const every = Math.ceil(norms.length / mostSteps);
  const steps = norms.map((norm, step) => ({ norm, step: step + 1 })).toReversed();
  const shown = steps.filter((_, i) => i % every === 0 || i === steps.length - 1);
  const bars = barsOf(shown.map(({ norm }) => norm));
  output.table(
    [right('step'), right('gradient'), { title: '' }],
    shown.map(({ norm, step }, i) => [String(step), figure(norm), bars[i] ?? '']),
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
  const bars = both.map(({ layers }) => barsOf(layers.map((layer) => layer.gradientNorm)));
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
  both.forEach((inspection, i) => {
    showFindings(output, inspection, `${i + 1} `);
  });
}
