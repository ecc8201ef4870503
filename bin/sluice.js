#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(main)) {
  import(main.href).then((command) => command.main());
} else {
  console.error('not built: npm run build');
  process.exitCode = 1;
}
