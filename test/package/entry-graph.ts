import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { parseSync } from 'oxc-parser';

/** What a module asks for, static and dynamic imports alike. */
function requestsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  const { module } = parseSync(path, text);
  return [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
    ),
    ...module.dynamicImports.flatMap(({ moduleRequest }) => {
      const request = text.slice(moduleRequest.start, moduleRequest.end);
      return /^(['"]).*\1$/.test(request) ? [request.slice(1, -1)] : []; // bundlers, too, pass others over
    }),
  ];
}

/** Everything that is reachable from a built module: its files, and `FILE imports WHAT` for what is no file of ours. */
export function graphOf(entry: string): { files: Set<string>; foreign: string[] } {
  const files = new Set<string>();
  const foreign: string[] = [];
  const visit = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    for (const request of requestsOf(path)) {
      if (request.startsWith('.')) visit(resolve(dirname(path), request));
      else foreign.push(`${relative(dirname(entry), path)} imports ${request}`);
    }
  };
  visit(entry);
  return { files, foreign };
}
