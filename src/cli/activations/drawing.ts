import { plot } from 'simple-ascii-chart';
import { type Curve, type CurvePart, extentOf } from '../../experiments/curves.js';
import type { Terminal } from '../terminal.js';

const colors = ['ansiCyan', 'ansiYellow', 'ansiGreen', 'ansiMagenta', 'ansiRed', 'ansiBlue', 'ansiWhite'] as const;
const titles: Readonly<Record<CurvePart, string>> = { y: 'f(x)', dy: "f'(x)", d2y: "f''(x)" };

/**
 * Curves and their derivatives as lines of text: with colours one chart holds all functions, without them each
 * function has its own.
 */
export function drawCurves(
  curves: readonly Curve[],
  terminal: Pick<Terminal, 'columns' | 'color'>,
  parts: readonly CurvePart[] = ['y', 'dy'],
): string[] {
  const groups = terminal.color ? [curves] : curves.map((curve) => [curve]);
  return groups.flatMap((group) => parts.flatMap((part) => chart(group, part, terminal)));
}

function chart(curves: readonly Curve[], part: CurvePart, terminal: Pick<Terminal, 'columns' | 'color'>): string[] {
  const width = Math.max(20, Math.min(72, terminal.columns - 12));
  const [low, high] = extentOf(curves, part);
  const levels = ticks(low, high, 5);
  const labelWidth = Math.max(...levels.map((level) => labelOf(level).length));
  const text = plot(
    curves.map((curve) => pointsIn(curve, part, width)),
    {
      width,
      height: 13,
      yRange: [low, high],
      customXAxisTicks: ticks(curves[0]?.x[0] ?? 0, curves[0]?.x.at(-1) ?? 0, 6),
      customYAxisTicks: levels,
      // The chart leaves as much room as the data's labels take, not its ticks': all get the same width.
      formatter: (value, { axis }) =>
        axis === 'y' ? labelOf(value).padStart(labelWidth).slice(0, labelWidth) : labelOf(value),
      ...(terminal.color ? { color: curves.map((_, i) => colors[i % colors.length] ?? 'ansiWhite') } : {}),
    },
  );
  const names = curves.map((curve) => curve.label).join(', ');
  const legend =
    terminal.color && curves.length > 1 ? ` (${colors.slice(0, curves.length).map(nameOf).join(', ')})` : '';
  return [`${titles[part]} of ${names}${legend}`, ...text.split('\n').filter((line) => line.trim() !== ''), ''];
}

const labelOf = (value: number): string => String(Number(value.toPrecision(3)));

/** The finite point nearest to the middle of each column: the chart draws corners of its own between two in one column. */
function pointsIn(curve: Curve, part: CurvePart, width: number): [number, number][] {
  const [from, to] = [curve.x[0] ?? 0, curve.x.at(-1) ?? 0];
  const nearest = new Map<number, { point: [number, number]; distance: number }>();
  curve.x.forEach((x, i) => {
    const y = curve[part][i] ?? Number.NaN;
    if (!Number.isFinite(y)) return;
    const place = ((x - from) / (to - from)) * (width - 1);
    const column = Math.round(place);
    const distance = Math.abs(place - column);
    if (distance < (nearest.get(column)?.distance ?? Number.POSITIVE_INFINITY))
      nearest.set(column, { point: [x, y], distance });
  });
  return [...nearest.values()].map(({ point }) => point);
}

const nameOf = (color: string): string => color.replace('ansi', '').toLowerCase();

/** About `count` round numbers from `low` to `high`. */
function ticks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? 10 * power;
  const first = Math.ceil(low / step);
  const length = Math.floor(high / step) - first + 1;
  return Array.from({ length: Math.max(0, length) }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
