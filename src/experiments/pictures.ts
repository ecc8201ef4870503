import { extent } from '../base/extent.js';
import type { JsonLine } from '../formats/json-lines.js';
import type { Boundary, Judged } from '../runs/task.js';
import type { ClassScores } from '../training/metrics.js';
import { forecastChart, forecastSize } from './forecast-chart.js';
import { colorOf, openPlot, type Plot, svgFile } from './svg.js';

/** A picture, as the text of an SVG file. */
export interface Picture {
  /** The file's name, without its extension. */
  readonly name: string;
  readonly svg: string;
}

/** Where the panel begins, below the title. */
const top = 28;

/** What there is to draw of a run: its losses, and what it was judged by. */
export async function picturesOf(
  metrics: readonly JsonLine[],
  { scores, boundary, values, forecast }: Judged,
): Promise<Picture[]> {
  const { plot, document } = await openPlot();
  const draw = (
    name: string,
    title: string,
    chart: (plot: Plot, document: Document) => Element,
    size: Size,
  ): Picture => {
    const panel = chart(plot, document);
    panel.setAttribute('y', String(top));
    const { width, height } = size;
    return { name, svg: svgFile({ width, height: height + top, label: title, title }, [panel.outerHTML]) };
  };
  const pictures = [draw('loss', 'Loss while training', lossChart(metrics), lossSize)];
  if (scores !== undefined) {
    const size = confusionSize(scores);
    pictures.push(draw('confusion', 'Confusion matrix', confusionChart(scores, size), size));
  }
  if (boundary !== undefined) {
    const title = `What each point is taken for, and the examples: ${boundary.classes.join(', ')}`;
    pictures.push(draw('boundary', title, boundaryChart(boundary), boundarySize));
  }
  if (values !== undefined) {
    pictures.push(draw('values', `${values.name}: predicted and true`, valuesChart(values), boundarySize));
  }
  if (forecast !== undefined) {
    pictures.push(draw('forecast', `${forecast.name}: truth and forecast`, forecastChart(forecast), forecastSize));
  }
  return pictures;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

type Chart = (plot: Plot, document: Document) => Element;

const lossSize = { width: 720, height: 340 } as const;

/** Single losses jump: a mean over so much of the run shows where they go. */
const smoothedShare = 0.03;

function lossChart(metrics: readonly JsonLine[]): Chart {
  const points = (key: string): [number, number][] =>
    metrics.flatMap(({ step, [key]: value }) =>
      typeof step === 'number' && typeof value === 'number' ? [[step, value] as [number, number]] : [],
    );
  const [training, validation] = [points('loss'), points('validationLoss')];
  const width = Math.max(1, Math.round(smoothedShare * training.length));
  const lines = [
    { label: 'training', points: means(training, width), color: colorOf(0) },
    { label: 'held out', points: validation, color: colorOf(1) },
  ].filter(({ points }) => points.length > 0);
  const smooth = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const [low, high] = extent(smooth);
  const isWide = low > 0 && high > 30 * low;
  return (plot, document) =>
    plot.plot({
      ...{ document, ...lossSize, marginLeft: 55, marginRight: 80 },
      x: { label: 'step' },
      y: { label: 'loss', grid: true, ...(isWide ? { type: 'log' } : { zero: true }) },
      marks: [
        plot.line(training, { stroke: colorOf(0), strokeOpacity: 0.25, strokeWidth: 1 }),
        ...lines.map(({ points, color }) => plot.line(points, { stroke: color, strokeWidth: 2 })),
        plot.dot(validation, { fill: colorOf(1), r: 2.5 }),
        ...lines.map(({ label, color }, i) =>
          plot.text([label], {
            frameAnchor: 'top-right',
            dx: 72,
            dy: 18 * i,
            fill: color,
            fontSize: 12,
            textAnchor: 'end',
          }),
        ),
      ],
    });
}

/** The mean of each point and those before it, `width` in all. */
function means(points: readonly [number, number][], width: number): [number, number][] {
  let sum = 0;
  return points.map(([step, value], i) => {
    sum += value - (i < width ? 0 : (points[i - width]?.[1] ?? 0));
    return [step, sum / Math.min(i + 1, width)];
  });
}

const confusionSize = ({ classes }: ClassScores): Size => {
  const side = Math.min(900, Math.max(300, 140 + 48 * classes.length));
  return { width: side + 60, height: side };
};

function confusionChart({ classes, confusion }: ClassScores, size: Size): Chart {
  const cells = confusion.flatMap((row, i) => {
    const all = row.reduce((sum, value) => sum + value, 0);
    return row.map((value, j) => ({
      ...{ actual: classes[i]?.name ?? '', taken: classes[j]?.name ?? '', value, share: all === 0 ? 0 : value / all },
    }));
  });
  const domain = classes.map(({ name }) => name);
  return (plot, document) =>
    plot.plot({
      ...{ document, ...size, marginLeft: 100, marginBottom: 70, padding: 0.03 },
      x: { label: 'taken for', domain, tickRotate: domain.some((name) => name.length > 4) ? -30 : 0 },
      y: { label: 'class', domain },
      color: { type: 'linear', domain: [0, 1], range: ['#f4f8fb', '#0072b2'] },
      marks: [
        plot.cell(cells, { x: 'taken', y: 'actual', fill: 'share' }),
        plot.text(cells, {
          ...{ x: 'taken', y: 'actual', text: ({ value }: { value: number }) => String(value) },
          fill: ({ share }: { share: number }) => (share > 0.55 ? 'white' : 'black'),
        }),
      ],
    });
}

const boundarySize = { width: 560, height: 520 } as const;

function boundaryChart({ inputs, classes, x, y, size, leads, points }: Boundary): Chart {
  return (plot, document) =>
    plot.plot({
      ...{ document, ...boundarySize, marginLeft: 55, marginRight: 20 },
      x: { label: inputs[0], domain: x },
      y: { label: inputs[1], domain: y },
      marks: [
        // Where a class is ahead of all others, its lead is above 0.
        ...leads.map((lead, k) =>
          plot.contour(lead, {
            ...{ width: size, height: size, x1: x[0], x2: x[1], y1: y[0], y2: y[1], thresholds: [0], smooth: true },
            ...{ fill: colorOf(k), fillOpacity: 0.25, stroke: colorOf(k), strokeOpacity: 0.8 },
          }),
        ),
        plot.dot(points, { x: 'x', y: 'y', r: 2.5, fill: ({ label }: { label: number }) => colorOf(label) }),
        ...classes.map((name, k) =>
          plot.text([name], { frameAnchor: 'top-right', dx: -6, dy: 6 + 16 * k, fill: colorOf(k), fontWeight: 'bold' }),
        ),
      ],
    });
}

function valuesChart({ predicted, actual }: NonNullable<Judged['values']>): Chart {
  const points = Array.from(actual, (value, i) => [value, predicted[i] ?? Number.NaN] as const);
  const range = extent(points.flat());
  return (plot, document) =>
    plot.plot({
      ...{ document, ...boundarySize, marginLeft: 65, marginRight: 20 },
      x: { label: 'true', grid: true },
      y: { label: 'predicted', grid: true },
      marks: [
        plot.line(
          [
            [range[0], range[0]],
            [range[1], range[1]],
          ],
          { stroke: '#888' },
        ),
        plot.dot(points, { r: 2.5, fill: colorOf(0), fillOpacity: 0.6 }),
      ],
    });
}
