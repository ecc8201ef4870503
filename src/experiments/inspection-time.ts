/** What recurrent layers do through time, as parts of a picture. */
import type { RunInspection } from '../runs/inspect-run.js';
import { nameOf } from '../training/inspection/findings.js';
import type { GateReport } from '../training/inspection/gates.js';
import type { LayerReport } from '../training/inspection/layer-record.js';
import { brief } from './brief.js';
import { colorOf } from './svg.js';
import { logScale, powersIn, rect, round, row, stepsHeight, text } from './svg-parts.js';

/** A recurrent layer of one of the runs. */
export interface Stepped {
  readonly one: RunInspection;
  readonly layer: LayerReport;
}

/** The gradient through time of the recurrent layers. */
export function stepsPanel(stepped: readonly Stepped[], x: number, y: number, width: number): string {
  const scale = logScale(stepped.flatMap(({ layer }) => layer.gradientNormByStep ?? []));
  const [head, height] = [26, stepsHeight - 56];
  const place = (power: number): number => y + head + height * (1 - scale.of(10 ** power));
  const grid = powersIn(scale).map((power) => {
    const at = round(place(power));
    const line = `<line x1="${x}" x2="${round(x + width)}" y1="${at}" y2="${at}" stroke="#ddd"/>`;
    return `${line}${text(x - 6, place(power) + 4, power === 0 ? '1' : `1e${power}`, 'end', 'fill="#666"')}`;
  });
  const most = Math.max(...stepped.map(({ layer }) => layer.gradientNormByStep?.length ?? 0));
  const lines = stepped.map(({ one, layer }, i) => {
    const norms = layer.gradientNormByStep ?? [];
    const points = norms.flatMap((norm, step) =>
      norm > 0 ? [`${round(x + (width * step) / Math.max(1, most - 1))},${round(place(Math.log10(norm)))}`] : [],
    );
    const color = colorOf(i);
    const name = text(x + 8 + 240 * i, y + head - 8, `${one.run} ${nameOf(layer)}`, 'start', `fill="${color}"`);
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${color}" stroke-width="1.8"/>${name}`;
  });
  const foot = text(x + width, y + head + height + 16, `step ${most}`, 'end', 'fill="#666"');
  const title = text(x, y + 2, 'norm of the gradient at each time step', 'start', 'font-weight="bold"');
  return [title, ...grid, ...lines, text(x, y + head + height + 16, 'step 1', 'start', 'fill="#666"'), foot].join('\n');
}

const gateColors = [colorOf(1), colorOf(5)] as const;

/** A bar for each gate: its values near the low end from the left, those near the high end from the right; units darker. */
export function gatesPanel(
  stepped: readonly Stepped[],
  x: number,
  y: number,
  width: number,
): { readonly text: string; readonly height: number } {
  const gated = stepped.filter(({ layer: { gates = [] } }) => gates.length > 0);
  if (gated.length === 0) return { text: '', height: 0 };
  const title = text(
    x,
    y + 12,
    'gates: values near their low end (left) and high end (right); framed: units that stay there',
    'start',
    'font-weight="bold"',
  );
  let at = y + 24;
  const parts = gated.flatMap(({ one, layer }) => {
    const head = text(x, at + 12, `${one.run} ${nameOf(layer)}`, 'start', 'fill="#555"');
    const bars = (layer.gates ?? []).map((gate, i) => gateBar(gate, x, at + row * (i + 1), width));
    at += row * (bars.length + 1) + 8;
    return [head, ...bars];
  });
  return { text: [title, ...parts].join('\n'), height: at - y + 12 };
}

function gateBar({ name, activation, ends, near, units }: GateReport, x: number, y: number, width: number): string {
  const [start, room] = [x + 64, Math.min(360, width - 190)];
  const [top, height] = [y + 3, row - 6];
  const low = rect(start, top, room * near[0], height, gateColors[0]);
  const high = rect(start + room * (1 - near[1]), top, room * near[1], height, gateColors[1]);
  const framed = units.map((share, side) => {
    const left = side === 0 ? start : start + room * (1 - share);
    const frame = `width="${round(room * share)}" height="${height}" fill="none" stroke="black"`;
    return share === 0 ? '' : `<rect x="${round(left)}" y="${top}" ${frame}/>`;
  });
  const label = `${activation}, ${ends.map((end) => brief(end, 2)).join(' to ')}`;
  return [
    text(x, y + 12, name),
    rect(start, top, room, height, '#eee'),
    ...[low, high, ...framed],
    text(start + room + 8, y + 12, label, 'start', 'fill="#777"'),
  ].join('');
}
