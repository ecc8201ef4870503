import { existsSync, readFileSync } from 'node:fs';

/**
 * The most that this process ever had resident, in bytes. Linux counts what was there before exec into `maxRSS`, so that
 * a child of a large process seems large; VmHWM does not.
 */
export function peakBytes() {
  const status = '/proc/self/status';
  if (!existsSync(status)) return process.resourceUsage().maxRSS * 1024;
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1]);
}
