import type { RunInspection } from '../runs/inspect-run.js';
import { nameOf } from '../training/inspection/findings.js';
import type { Histogram, LayerReport } from '../training/inspection/layer-record.js';
import { brief } from './brief.js';
import { gatesPanel, stepsPanel } from './inspection-time.js';
import { colorOf, svgFile } from './svg.js';
import { type LogScale, logScale, powersIn, rect, round, row, stepsHeight, text } from './svg-parts.js';

/** Where rows begin, below the title and the heads of columns. */
const top = 66;
const gap = 16;
const columns = { gradient: 190, units: 160, histogram: 150 } as const;
const blockWidth = columns.gradient + columns.units + columns.histogram + 3 * gap;
const shares = [
  { key: 'dead', color: colorOf(1) },
  { key: 'saturated', color: colorOf(4) },
  { key: 'unreached', color: '#999' },
] as const;

/** One or two inspections of the same layers, as the text of an SVG file: a row for each layer, a block for each run. */
export function inspectionSvg(inspections: readonly RunInspection[]): string {
  const [first] = inspections;
  const layers = first?.layers ?? [];
  const names = layers.map((layer, i) => labelOf(layer, inspections, i));
  const left = Math.max(120, 16 + 6.2 * Math.max(...names.map(({ length }) => length)));
  const scale = logScale(inspections.flatMap((one) => one.layers.map(({ gradientNorm }) => gradientNorm)));
  const width = Math.ceil(left + inspections.length * blockWidth);
  const bottom = top + layers.length * row + 30;
  const blocks = inspections.map((one, i) => block(one, left + i * blockWidth, scale, inspections.length > 1));
  const stepped = inspections.flatMap((one) =>
    one.layers.filter(({ isRecurrent }) => isRecurrent).map((layer) => ({ one, layer })),
  );
  const steps = stepped.length === 0 ? [] : [stepsPanel(stepped, left, bottom, width - left - 24)];
  const gatesTop = bottom + (steps.length === 0 ? 0 : stepsHeight);
  const gates = gatesPanel(stepped, left, gatesTop, width - left - 24);
  const label = `What ${inspections.map(({ run }) => run).join(' and ')} shows of its layers: gradients, units, values`;
  const parts = [
    ...names.map((name, i) => text(left - 10, top + i * row + 12, name, 'end')),
    ...blocks,
    ...steps,
    gates.text,
  ];
  const title = 'Gradients, units and values by layer';
  return svgFile({ width, height: gatesTop + gates.height, label, title }, [
    `<g font-family="system-ui, sans-serif" font-size="11">\n${parts.join('\n')}\n</g>`,
  ]);
}

/** The layer's name, and its activation where that is the same in all runs. */
function labelOf(layer: LayerReport, inspections: readonly RunInspection[], index: number): string {
  const kinds = new Set(inspections.map(({ layers }) => layers[index]?.kind));
  const name = nameOf(layer).replace(/^model\.(layers\.)?/, '');
  return layer.isActivation && kinds.size === 1 ? `${name} ${layer.kind}` : name;
}

function block({ run, layers }: RunInspection, x: number, scale: LogScale, isOneOfTwo: boolean): string {
  const units = x + columns.gradient + gap;
  const values = units + columns.units + gap;
  const bottom = top + layers.length * row;
  const grid = powersIn(scale).map((power) => {
    const at = x + columns.gradient * scale.of(10 ** power);
    const line = `<line x1="${round(at)}" x2="${round(at)}" y1="${top}" y2="${bottom}" stroke="#ddd"/>`;
    return `${line}${text(at, bottom + 14, power === 0 ? '1' : `1e${power}`, 'middle', 'fill="#666"')}`;
  });
  let at = units;
  const heads = shares.map(({ key, color }) => {
    const head = text(at, top - 8, key, 'start', `fill="${color}" font-weight="bold"`);
    at += 10 + 6.8 * key.length;
    return head;
  });
  return [
    ...(isOneOfTwo ? [text(x, top - 26, run, 'start', 'font-weight="bold"')] : []),
    text(x, top - 8, 'norm of the gradient', 'start', `fill="${colorOf(0)}" font-weight="bold"`),
    ...heads,
    text(values + 34, top - 8, 'values', 'start', 'fill="#555" font-weight="bold"'),
    ...grid,
    ...layers.flatMap((layer, i) => [
      gradientBar(layer, x, top + i * row, scale),
      unitsBar(layer, units, top + i * row),
      histogramOf(layer.histogram, values, top + i * row),
    ]),
  ].join('\n');
}

function gradientBar({ gradientNorm }: LayerReport, x: number, y: number, scale: LogScale): string {
  if (!(gradientNorm > 0 && Number.isFinite(gradientNorm))) {
    return text(x + 2, y + 12, brief(gradientNorm), 'start', `fill="${colorOf(1)}"`);
  }
  return rect(x, y + 3, Math.max(1, columns.gradient * scale.of(gradientNorm)), row - 6, colorOf(0));
}

/** The shares of units, side by side; of a layer that is no activation nothing, where it has none. */
function unitsBar(layer: LayerReport, x: number, y: number): string {
  const parts = shares.map(({ key, color }) => ({ color, share: layer[key] ?? 0 }));
  if (!layer.isActivation && parts.every(({ share }) => share === 0)) return '';
  let at = x;
  const bars = parts.map(({ color, share }) => {
    const bar = rect(at, y + 3, columns.units * share, row - 6, color);
    at += columns.units * share;
    return bar;
  });
  return [rect(x, y + 3, columns.units, row - 6, '#eee'), ...bars].join('');
}

/** How often values occur, from the lowest bar to the highest, and where these are. */
function histogramOf({ low, high, counts }: Histogram, x: number, y: number): string {
  const most = Math.max(...counts);
  if (!(most > 0) || !(high > low)) return text(x + 34, y + 12, `all ${brief(low, 2)}`, 'start', 'fill="#777"');
  const [start, room] = [x + 34, columns.histogram - 68];
  const bar = room / counts.length;
  const path = counts.map((count, i) => {
    const height = (row - 3) * (count / most);
    return `V${round(y + row - 1 - height)}h${round(bar)}${i === counts.length - 1 ? `V${y + row - 1}` : ''}`;
  });
  const ends = [
    text(start - 3, y + 12, brief(low, 2), 'end', small),
    text(start + room + 3, y + 12, brief(high, 2), 'start', small),
  ];
  return `<path d="M${round(start)} ${y + row - 1}${path.join('')}Z" fill="#7a8fa6"/>${ends.join('')}`;
}

const small = 'fill="#777" style="font-size:9px"';
