import type { Forecast } from '../runs/task.js';
import { colorOf, type Plot } from './svg.js';

export const forecastSize = { width: 820, height: 360 } as const;

/** A series as it went on, and its forecasts over it; a break between two forecasts is where each begins. */
export function forecastChart({ name, row, truth, forecasts }: Forecast) {
  const points = (from: number, values: Float64Array): [number, number][] =>
    Array.from(values, (value, i) => [from + i, value]);
  const [actual, said] = [points(row, truth), forecasts.map((one) => points(one.row, one.values))];
  const begins = forecasts[0]?.row ?? row;
  const labels = ['truth', 'forecast'];
  return (plot: Plot, document: Document): Element =>
    plot.plot({
      ...{ document, ...forecastSize, marginLeft: 65, marginRight: 80 },
      x: { label: 'row' },
      y: { label: name, grid: true },
      marks: [
        plot.ruleX([begins], { stroke: '#888', strokeDasharray: '4 3' }),
        plot.line(actual, { stroke: colorOf(0), strokeWidth: 1.5 }),
        ...said.map((line) => plot.line(line, { stroke: colorOf(1), strokeWidth: 1.5 })),
        ...said.filter(({ length }) => length <= 40).map((line) => plot.dot(line, { fill: colorOf(1), r: 2 })),
        ...labels.map((label, i) =>
          plot.text([label], {
            ...{ frameAnchor: 'top-right', dx: 72, dy: 18 * i, textAnchor: 'end', fill: colorOf(i), fontSize: 12 },
          }),
        ),
      ],
    });
}
