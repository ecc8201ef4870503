import { brief } from '../brief.js';
import { colorOf, escapeXml, svgFile } from '../svg.js';
import type { FeedForwardTrace } from './feed-forward.js';
import type { Vector } from './linear-algebra.js';
import type { RecurrentTrace } from './recurrent.js';

interface Node {
  readonly x: number;
  readonly y: number;
  /** Within the circle. */
  readonly value: string;
  /** Below it. */
  readonly notes: readonly string[];
  readonly color: string;
}

interface Edge {
  readonly from: Node;
  readonly to: Node;
  readonly weight: number;
  readonly gradient: number;
  readonly isLabelled: boolean;
}

const radius = 25;
/** More edges than this between two layers leave no room for their numbers. */
const mostLabels = 12;
const colors = { input: '#555', hidden: colorOf(0), output: colorOf(2) } as const;
const short = (value: number): string => brief(value, 3);

/** A network with its values, weights and gradients, as the text of an SVG file. */
export const networkSvg = (trace: FeedForwardTrace | RecurrentTrace): string =>
  'steps' in trace ? recurrentSvg(trace) : feedForwardSvg(trace);

/** Places of so many nodes below each other, around a middle. */
const spread = (count: number, middle: number, distance: number): number[] =>
  Array.from({ length: count }, (_, i) => middle + (i - (count - 1) / 2) * distance);

function feedForwardSvg({ problem, loss, layers }: FeedForwardTrace): string {
  const { input, target, widths } = problem;
  const [across, down, top] = [270, 128, 60];
  const middle = top + (Math.max(...widths) * down) / 2;
  const column = (layer: number): number => 70 + layer * across;
  const place = (layer: number, values: Vector, notes: (i: number) => string[]): Node[] =>
    spread(values.length, middle, down).map((y, i) => ({
      ...{ x: column(layer), y, value: short(values[i] ?? 0), notes: notes(i) },
      color: layer === 0 ? colors.input : layer === layers.length ? colors.output : colors.hidden,
    }));
  const nodes = [place(0, input, (i) => [`x ${i + 1}`])];
  layers.forEach(({ z, a, delta, bias }, l) => {
    const isLast = l === layers.length - 1;
    const notes = (i: number): string[] => [
      `z ${short(z[i] ?? 0)}   δ ${short(delta[i] ?? 0)}`,
      `b ${short(bias.value[i] ?? 0)}   ∂ ${short(bias.gradient[i] ?? 0)}`,
      ...(isLast ? [`wanted ${short(target[i] ?? 0)}`] : []),
    ];
    nodes.push(place(l + 1, a, notes));
  });
  const edges = layers.flatMap(({ weight }, l) =>
    edgesOf(nodes[l] ?? [], nodes[l + 1] ?? [], weight.value, weight.gradient),
  );
  const heads = widths.map((_, l) =>
    text(column(l), 46, l === 0 ? 'inputs' : l === layers.length ? 'outputs' : `layer ${l}`, bold),
  );
  const size = { width: column(layers.length) + 100, height: middle + (Math.max(...widths) * down) / 2 + 24 };
  const title = `Loss ${brief(loss)}: each edge has its weight and ∂, the gradient of the loss by it`;
  return picture(size, title, [...edges.map(drawEdge), ...nodes.flat().map(drawNode), ...heads]);
}

function edgesOf(
  from: readonly Node[],
  to: readonly Node[],
  weights: readonly Vector[],
  gradients: readonly Vector[],
  isLabelled = from.length * to.length <= mostLabels,
): Edge[] {
  return to.flatMap((end, i) =>
    from.map((start, j) => ({
      ...{ from: start, to: end, isLabelled },
      weight: weights[i]?.[j] ?? 0,
      gradient: gradients[i]?.[j] ?? 0,
    })),
  );
}

/** Unrolled: time goes to the right, inputs come from below, outputs go up. */
function recurrentSvg({ problem, loss, steps, parameters }: RecurrentTrace): string {
  const [inputs, hidden, outputs] = problem.widths;
  const [across, down, top] = [330, 120, 76];
  const beside = 120;
  const at = (t: number): number => 210 + t * across;
  const heights = { output: top + outputs * 84, hidden: 0, input: 0 };
  heights.hidden = heights.output + hidden * down;
  heights.input = heights.hidden + inputs * 72;
  const rows = (count: number, from: number, to: number): number[] =>
    spread(count, (from + to) / 2, (to - from) / count);
  const unrolled = steps.map(({ x, y, z, h, o, delta, deltaOutput }, t) => ({
    x: rows(inputs, heights.hidden, heights.input).map((place, i): Node => {
      return { x: at(t) - beside, y: place, value: short(x[i] ?? 0), notes: [`x ${t + 1}`], color: colors.input };
    }),
    h: rows(hidden, heights.output, heights.hidden).map((place, i): Node => {
      const notes = [`z ${short(z[i] ?? 0)}   δ ${short(delta[i] ?? 0)}`];
      return { x: at(t), y: place, value: short(h[i] ?? 0), notes, color: colors.hidden };
    }),
    o: rows(outputs, top, heights.output).map((place, i): Node => {
      const notes = [`δo ${short(deltaOutput[i] ?? 0)}   wanted ${short(y[i] ?? 0)}`];
      return { x: at(t) + beside / 2, y: place, value: short(o[i] ?? 0), notes, color: colors.output };
    }),
  }));
  const { xh, hh, ho } = parameters;
  // All steps share their weights: the first ones have the numbers, with the gradient summed over time.
  const edges = unrolled.flatMap(({ x, h, o }, t) => [
    ...edgesOf(x, h, xh.value, xh.gradient, t === 0 && inputs * hidden <= mostLabels),
    ...(t === 0
      ? []
      : edgesOf(unrolled[t - 1]?.h ?? [], h, hh.value, hh.gradient, t === 1 && hidden * hidden <= mostLabels)),
    ...edgesOf(h, o, ho.value, ho.gradient, t === 0 && hidden * outputs <= mostLabels),
  ]);
  const heads = steps.map(({ loss: own }, t) => text(at(t), 52, `t = ${t + 1}, loss ${short(own)}`, bold));
  const title = `Loss ${brief(loss)}, summed over time: each weight, once, with ∂, the gradient of the loss by it`;
  const nodes = unrolled.flatMap(({ x, h, o }) => [...x, ...h, ...o]);
  const size = { width: at(steps.length - 1) + 140, height: heights.input + 24 };
  return picture(size, title, [...edges.map(drawEdge), ...nodes.map(drawNode), ...heads]);
}

const bold = 'font-weight="bold"';
const halo = 'stroke="white" stroke-width="4" paint-order="stroke"';
const round = (value: number): number => Math.round(10 * value) / 10;
const text = (x: number, y: number, content: string, more = ''): string =>
  `<text x="${round(x)}" y="${round(y)}"${more === '' ? '' : ` ${more}`}>${escapeXml(content)}</text>`;

function drawNode({ x, y, value, notes, color }: Node): string {
  const circle = `<circle cx="${round(x)}" cy="${round(y)}" r="${radius}" fill="white" stroke="${color}" stroke-width="2"/>`;
  const lines = notes.map((note, i) => text(x, y + radius + 14 + 13 * i, note, `font-size="11" ${halo}`));
  return [circle, text(x, y + 4.5, value, `font-size="13" ${bold}`), ...lines].join('');
}

/** The numbers stand along the edge, near where it begins: there edges are apart. */
function drawEdge({ from, to, weight, gradient, isLabelled }: Edge): string {
  const color = weight < 0 ? colorOf(1) : '#8a9aab';
  const numbers = `${short(weight)}  ∂ ${short(gradient)}`;
  const line = `<line x1="${round(from.x)}" y1="${round(from.y)}" x2="${round(to.x)}" y2="${round(to.y)}" stroke="${color}" stroke-width="1.6"><title>${escapeXml(numbers)}</title></line>`;
  if (!isLabelled) return line;
  const share = 0.36;
  const [x, y] = [from.x + share * (to.x - from.x), from.y + share * (to.y - from.y)];
  const angle = (Math.atan2(to.y - from.y, to.x - from.x) * 180) / Math.PI;
  const label = text(
    x,
    y + 3.5,
    numbers,
    `font-size="11" transform="rotate(${round(angle)} ${round(x)} ${round(y)})" ${halo}`,
  );
  return line + label;
}

function picture(
  { width, height }: { width: number; height: number },
  title: string,
  parts: readonly string[],
): string {
  const group = `<g font-family="system-ui, sans-serif" font-size="12" text-anchor="middle">\n${parts.join('\n')}\n</g>`;
  return svgFile({ width: Math.max(620, Math.ceil(width)), height: Math.ceil(height), label: title, title }, [group]);
}
