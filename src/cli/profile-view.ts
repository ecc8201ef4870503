import type { ProfileReport, ProfileRow } from '../runs/profile-report.js';
import { type Output, quoted } from './output.js';

const right = (title: string) => ({ title, align: 'right' }) as const;

/** Rows of a table; the others are summed up in its last one. */
const mostRows = 24;

/** Two tables, by kernel and by layer, for people. */
export function showProfile(output: Output, report: ProfileReport, trace: string): void {
  const { steps, milliseconds, overheadMilliseconds, launches, gigabytes, gigaflops, peakBytes } = report;
  const share = (part: number): string => `${((100 * part) / milliseconds).toFixed(0)}%`;
  output.lines('');
  output.panel([
    ['step', `${milliseconds.toFixed(2)} ms, the mean of ${steps}`],
    ['launches', `${launches.toFixed(0)}, which move ${gigabytes.toFixed(3)} GB and do ${gigaflops.toFixed(2)} GFLOP`],
    ['JavaScript', `${overheadMilliseconds.toFixed(2)} ms outside of them (${share(overheadMilliseconds)})`],
    ['memory', `${(peakBytes / 2 ** 20).toFixed(1)} MiB of tensors at the most`],
    ['trace', `${quoted(trace)}: open it in chrome://tracing`],
  ]);
  showRows(output, 'kernel', report.kernels);
  showRows(output, 'layer', report.layers);
  output.lines('');
}

function showRows(output: Output, title: string, rows: readonly ProfileRow[]): void {
  const columns = [right('ms'), right('share'), right('launches'), right('GFLOP/s'), right('GB/s'), { title }];
  const cells = ({ name, milliseconds, share, launches, gigaflopsPerSecond, gigabytesPerSecond }: ProfileRow) => [
    milliseconds.toFixed(3),
    `${(100 * share).toFixed(1)}%`,
    launches.toFixed(0),
    gigaflopsPerSecond.toFixed(1),
    gigabytesPerSecond.toFixed(1),
    name,
  ];
  const shown = rows.slice(0, mostRows).map(cells);
  const rest = rows.slice(mostRows);
  if (rest.length > 0) {
    const sum = (of: (row: ProfileRow) => number): number => rest.reduce((total, row) => total + of(row), 0);
    const time = sum((row) => row.milliseconds);
    const launches = sum((row) => row.launches).toFixed(0);
    const portion = `${(100 * sum((row) => row.share)).toFixed(1)}%`;
    shown.push([time.toFixed(3), portion, launches, '', '', `${rest.length} others`]);
  }
  output.lines('');
  output.table(columns, shown);
}
