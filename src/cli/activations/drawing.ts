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
  const series = curves.map((curve) =>
    curve.x.flatMap((x, i): [number, number][] => {
      const y = curve[part][i] ?? Number.NaN;
      return Number.isFinite(y) ? [[x, y]] : [];
    }),
  );
  const [low, high] = extentOf(curves, part);
  const text = plot(series, {
    width: Math.max(20, Math.min(72, terminal.columns - 12)),
    height: 13,
    yRange: [low, high],
    customXAxisTicks: ticks(curves[0]?.x[0] ?? 0, curves[0]?.x.at(-1) ?? 0, 6),
    customYAxisTicks: ticks(low, high, 5),
    formatter: (value) => Number(value.toPrecision(3)),
    ...(terminal.color ? { color: curves.map((_, i) => colors[i % colors.length] ?? 'ansiWhite') } : {}),
  });
  const names = curves.map((curve) => curve.label).join(', ');
  const legend =
    terminal.color && curves.length > 1 ? ` (${colors.slice(0, curves.length).map(nameOf).join(', ')})` : '';
  return [`${titles[part]} of ${names}${legend}`, ...text.split('\n').filter((line) => line.trim() !== ''), ''];
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
