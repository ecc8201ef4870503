import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Vitest's own choice leaves a core to itself, which of two is half.
const maxWorkers = Math.max(2, availableParallelism() - 1);

export default defineConfig({
  test: { include: ['test/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000, maxWorkers },
});
