const namespace = 'http://www.w3.org/2000/svg';

/** Okabe and Ito's colours, distinct to every kind of sight. */
export const colors: readonly string[] = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];

export const colorOf = (index: number): string => colors[index % colors.length] ?? 'black';

export type Plot = typeof import('@observablehq/plot');

/** What draws, and the document that it draws in: both are large, and loaded when a picture is asked for. */
export async function openPlot(): Promise<{ readonly plot: Plot; readonly document: Document }> {
  const [plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')]);
  return { plot, document: parseHTML('<html><body></body></html>').document };
}

export interface SvgFrame {
  readonly width: number;
  readonly height: number;
  /** What the picture shows, for those who do not see it. */
  readonly label: string;
  /** A line above the panels. */
  readonly title?: string;
}

/** The text of an SVG file: panels on white. */
export function svgFile({ width, height, label, title }: SvgFrame, panels: readonly string[]): string {
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  const font = 'font-family="system-ui, sans-serif" font-size="14" font-weight="bold"';
  return [
    `<svg xmlns="${namespace}" ${size} role="img" aria-label="${escapeXml(label)}">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...(title === undefined ? [] : [`<text x="12" y="20" ${font}>${escapeXml(title)}</text>`]),
    ...panels,
    '</svg>\n',
  ].join('\n');
}

export const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
