import type { Command } from 'commander';
import type { Terminal } from './terminal.js';

/** What a command gets beside its options. */
export interface Context {
  readonly terminal: Terminal;
  /** What the process will exit with; 0 unless a command sets it (130 after Ctrl-C). */
  exitCode: number;
}

/** Adds a command to the program. It imports nothing heavy before its action runs. */
export type Register = (program: Command, context: Context) => void;
