import { brief } from './brief.js';
import type { BlockComparison, ComparedBlock, SizedBlock } from './compare-blocks.js';
import { colorOf, escapeXml, svgFile } from './svg.js';

const row = 18;
const top = 64;
const panelWidth = 190;
const gap = 24;

interface Panel {
  readonly title: string;
  /** The parts of a bar: forward, and backward where both are meant. */
  parts(sized: SizedBlock): readonly number[];
}

const panels: readonly Panel[] = [
  { title: 'width', parts: ({ hidden }) => [hidden] },
  { title: 'MFLOP a token', parts: ({ forward, backward }) => [forward.flops / 1e6, backward.flops / 1e6] },
  { title: 'KiB kept a token', parts: ({ keptBytes }) => [keptBytes / 1024] },
  { title: 'exponentials a token', parts: ({ forward, backward }) => [forward.exponentials, backward.exponentials] },
  {
    title: 'µs a token',
    parts: ({ microseconds }) => (microseconds === undefined ? [] : [microseconds.forward, microseconds.backward]),
  },
];

const round = (value: number): string => String(Math.round(10 * value) / 10);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const text = (x: number, y: number, content: string, more = ''): string =>
  `<text x="${round(x)}" y="${round(y)}"${more}>${escapeXml(content)}</text>`;

/** Blocks of equal parameters, as the text of an SVG file: a row each, a panel for each cost. */
export function blocksSvg(
  blocks: readonly ComparedBlock[],
  { dim, hidden }: Pick<BlockComparison, 'dim' | 'hidden'>,
): string {
  const shown = panels.filter(({ parts }) => blocks.some(({ equal }) => sum(parts(equal.parameters)) > 0));
  const left = Math.max(90, 20 + 7 * Math.max(0, ...blocks.map(({ name }) => name.length)));
  const bottom = top + blocks.length * row;
  const names = blocks.map(({ name }, i) => text(left - 10, top + i * row + 12, name, ' text-anchor="end"'));
  const bars = shown.map((panel, i) => bar(panel, blocks, left + i * (panelWidth + gap)));
  const key = [
    ...['forward', 'backward'].map((name, i) => text(left + 90 * i, bottom + 22, `■ ${name}`, ` fill="${colorOf(i)}"`)),
  ];
  return svgFile(
    {
      width: left + shown.length * (panelWidth + gap),
      height: bottom + 36,
      label: `Feed-forward blocks of ${dim} with the parameters of a classic one of ${hidden}: ${shown.map(({ title }) => title).join(', ')}`,
      title: `Feed-forward blocks of ${dim} with as many parameters as a classic one of ${hidden}`,
    },
    [`<g font-family="system-ui, sans-serif" font-size="11">\n${[...names, ...bars, ...key].join('\n')}\n</g>`],
  );
}

function bar({ title, parts }: Panel, blocks: readonly ComparedBlock[], x: number): string {
  const values = blocks.map(({ equal }) => parts(equal.parameters));
  const most = Math.max(...values.map(sum));
  // Room for the figure behind the longest bar.
  const scale = (panelWidth - 46) / most;
  const bars = values.flatMap((stack, i) => {
    const y = top + i * row;
    const pieces = stack.map((value, k) => {
      const start = x + scale * sum(stack.slice(0, k));
      return `<rect x="${round(start)}" y="${y + 2}" width="${round(scale * value)}" height="${row - 5}" fill="${colorOf(k)}"/>`;
    });
    return [...pieces, text(x + scale * sum(stack) + 4, y + 12, brief(sum(stack), 3))];
  });
  return [text(x, top - 10, title, ' font-weight="bold"'), ...bars].join('\n');
}
