import { type Curve, type CurvePart, curveParts, extentOf } from './curves.js';
import { colors, openPlot, type Plot, svgFile } from './svg.js';

const width = 720;
const height = 260;
const marginRight = 110;
const titles: Readonly<Record<CurvePart, string>> = { y: 'f(x)', dy: 'f′(x)', d2y: 'f″(x)' };

/** The curves with their first and second derivatives, one panel each, as the text of an SVG file. */
export async function plotSvg(curves: readonly Curve[]): Promise<string> {
  const { plot, document } = await openPlot();
  const panels = curveParts.map((part, i) => {
    const panel = panelOf(plot, document, curves, part);
    panel.setAttribute('y', String(i * height));
    return panel.outerHTML;
  });
  const label = `${curves.map((curve) => curve.label).join(', ')}: value, first and second derivative`;
  return svgFile({ width, height: panels.length * height, label }, panels);
}

function panelOf(plot: Plot, document: Document, curves: readonly Curve[], part: CurvePart): SVGSVGElement {
  const domain = extentOf(curves, part);
  const colored = curves.map((curve, i) => ({ curve, color: colors[i % colors.length] ?? 'black' }));
  const labels = spread(colored, part, domain);
  const chart = plot.plot({
    document,
    width,
    height,
    marginRight,
    marginLeft: 50,
    style: { overflow: 'hidden' },
    x: { label: 'x' },
    y: { label: titles[part], grid: true, domain },
    marks: [
      plot.ruleY([0], { stroke: '#888' }),
      plot.ruleX([0], { stroke: '#888', strokeOpacity: 0.4 }),
      ...colored.map(({ curve, color }) =>
        plot.line(
          curve.x.map((x, i): [number, number] => [x, curve[part][i] ?? Number.NaN]),
          { stroke: color, strokeWidth: 1.8 },
        ),
      ),
      ...labels.map(({ label, color, y }) =>
        plot.text([label], {
          text: [label],
          frameAnchor: 'right',
          x: null,
          y: [y],
          dx: 8,
          fill: color,
          textAnchor: 'start',
          fontSize: 12,
        }),
      ),
    ],
  });
  return chart as SVGSVGElement;
}

interface Label {
  readonly label: string;
  readonly color: string;
  y: number;
}

/** Labels at the ends of their lines, moved apart where they would overlap. */
function spread(
  colored: readonly { readonly curve: Curve; readonly color: string }[],
  part: CurvePart,
  [low, high]: readonly [number, number],
): Label[] {
  const gap = ((high - low) * 15) / (height - 50);
  const labels = colored.map(({ curve, color }): Label => {
    const last = curve[part].findLast(Number.isFinite) ?? 0;
    return { label: curve.label, color, y: Math.min(high, Math.max(low, last)) };
  });
  labels.sort((a, b) => b.y - a.y);
  labels.forEach((label, i) => {
    label.y = Math.min(label.y, (labels[i - 1]?.y ?? Number.POSITIVE_INFINITY) - gap);
  });
  const overflow = Math.max(0, low - (labels.at(-1)?.y ?? low));
  for (const label of labels) label.y += overflow;
  return labels;
}
