/** The scores as a picture: for each row a bar of the ratio to PyTorch, and one of the share of the ceiling. */
const width = 860;
/** Okabe and Ito's colours, as in the plots of activations. */
const colors = { native: '#0072b2', wasm: '#e69f00', pytorch: '#999999', compiled: '#555555' };
const devices = Object.keys(colors);
const namespace = 'http://www.w3.org/2000/svg';

const panels = [
  {
    title: 'times as fast as PyTorch, eager (logarithmic); the line is what is wanted',
    of: ['x PyTorch eager'],
    x: { type: 'log', grid: true, label: null, tickFormat: String },
    ground: 1,
  },
  {
    title: 'share of what this machine can do; the line is what is wanted',
    of: ['of the ceiling', 'of read bandwidth', 'of copy bandwidth'],
    x: { domain: [0, 1], clamp: true, grid: true, label: null },
    ground: 0,
  },
];

/** @param {import('./score.js').Score[]} scores @param {string} caption @returns the text of an SVG file */
export async function picture(scores, caption) {
  const plot = await import('@observablehq/plot');
  const { parseHTML } = await import('linkedom');
  const { document } = parseHTML('<html><body></body></html>');
  let top = 24;
  const parts = [];
  for (const panel of panels) {
    const shown = scores.filter(({ of, device }) => panel.of.includes(of) && devices.includes(device));
    if (shown.length === 0) continue;
    const chart = chartOf(plot, document, shown, panel);
    parts.push(`<text x="10" y="${top + 4}" font-weight="bold">${escapeXml(panel.title)}</text>`);
    chart.setAttribute('y', String(top + 8));
    parts.push(chart.outerHTML);
    top += Number(chart.getAttribute('height')) + 40;
  }
  const size = `width="${width}" height="${top}" viewBox="0 0 ${width} ${top}"`;
  return [
    `<svg xmlns="${namespace}" ${size} font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${escapeXml(caption)}">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...parts,
    `<text x="10" y="${top - 8}" fill="#555">${escapeXml(caption)}</text>`,
    '</svg>\n',
  ].join('\n');
}

function chartOf(plot, document, shown, { x, ground }) {
  const rows = [...new Set(shown.map(({ row }) => row))];
  const known = devices.filter((device) => shown.some((score) => score.device === device));
  return plot.plot({
    document,
    width,
    height: 30 + rows.length * (8 + 13 * known.length),
    marginLeft: 330,
    marginRight: 120,
    x,
    y: { axis: null, domain: known },
    fy: { domain: rows, label: null, padding: 0.15 },
    marks: [
      plot.axisFy({ anchor: 'left', lineWidth: 28, label: null }),
      plot.barX(shown, { x1: ground, x2: 'value', y: 'device', fy: 'row', fill: ({ device }) => colors[device] }),
      plot.text(shown, {
        ...{
          x: ({ value }) => (x.clamp === true ? Math.min(value, 1) : Math.max(value, ground)),
          y: 'device',
          fy: 'row',
        },
        ...{ text: ({ device, value }) => `${Number(value.toPrecision(3))} ${device}`, dx: 4, textAnchor: 'start' },
      }),
      plot.ruleX([ground]),
      plot.tickX(
        shown.filter(({ bound }) => bound !== undefined),
        { x: 'bound', y: 'device', fy: 'row', stroke: '#d55e00', strokeWidth: 2 },
      ),
    ],
  });
}

const escapeXml = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
