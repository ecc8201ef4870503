/** What a measurement was made on. */
export interface ProcessorReport {
  readonly node: string;
  readonly platform: string;
  readonly processor: string;
  /** Threads that the machine runs at once. */
  readonly threads: number;
  /** In bytes. */
  readonly memory: { readonly total: number; readonly free: number };
}

export async function inspectProcessor(): Promise<ProcessorReport> {
  const os = await import('node:os');
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: os.cpus()[0]?.model.trim() ?? 'unknown',
    threads: os.availableParallelism(),
    memory: { total: os.totalmem(), free: os.freemem() },
  };
}
