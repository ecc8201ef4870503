import type { RunInspection } from '../runs/inspect-run.js';
import { nameOf } from '../training/inspection/findings.js';
import type { Histogram, LayerReport } from '../training/inspection/layer-record.js';
import { brief } from './brief.js';
import { colorOf, escapeXml, svgFile } from './svg.js';

const row = 17;
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
const stepsHeight = 190;

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
  const label = `What ${inspections.map(({ run }) => run).join(' and ')} shows of its layers: gradients, units, values`;
  const parts = [...names.map((name, i) => text(left - 10, top + i * row + 12, name, 'end')), ...blocks, ...steps];
  const title = 'Gradients, units and values by layer';
  return svgFile({ width, height: bottom + (steps.length === 0 ? 0 : stepsHeight), label, title }, [
    `<g font-family="system-ui, sans-serif" font-size="11">\n${parts.join('\n')}\n</g>`,
  ]);
}

/** The layer's name, and its activation where that is the same in all runs. */
function labelOf(layer: LayerReport, inspections: readonly RunInspection[], index: number): string {
  const kinds = new Set(inspections.map(({ layers }) => layers[index]?.kind));
  const name = nameOf(layer).replace(/^model\.(layers\.)?/, '');
  return layer.isActivation && kinds.size === 1 ? `${name} ${layer.kind}` : name;
}

const text = (x: number, y: number, content: string, anchor = 'start', style = ''): string =>
  `<text x="${round(x)}" y="${round(y)}"${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}${style === '' ? '' : ` ${style}`}>${escapeXml(content)}</text>`;
const rect = (x: number, y: number, width: number, height: number, fill: string): string =>
  `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${fill}"/>`;
const round = (value: number): string => String(Math.round(10 * value) / 10);

/** From powers of ten to shares of a length. */
interface LogScale {
  readonly low: number;
  readonly high: number;
  of(value: number): number;
}

function logScale(values: readonly number[]): LogScale {
  const logs = values.filter((value) => value > 0 && Number.isFinite(value)).map(Math.log10);
  // The smallest bar has a length, too.
  const [low, high] = logs.length === 0 ? [-1, 0] : [Math.floor(Math.min(...logs)) - 0.5, Math.ceil(Math.max(...logs))];
  return { low, high, of: (value) => (value > 0 ? (Math.log10(value) - low) / (high - low) : 0) };
}

/** About four powers of ten in a scale. */
function powersIn({ low, high }: LogScale): number[] {
  const every = Math.max(1, Math.ceil((high - low) / 4));
  const first = Math.ceil(low);
  return Array.from({ length: Math.floor((high - first) / every) + 1 }, (_, i) => first + i * every);
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

/** The gradient through time of the recurrent layers. */
function stepsPanel(
  stepped: readonly { readonly one: RunInspection; readonly layer: LayerReport }[],
  x: number,
  y: number,
  width: number,
): string {
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
