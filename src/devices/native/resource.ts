import { readFileSync } from 'node:fs';

/** The text of a file beside this one, in the sources and where they are built. */
export const resource = (name: string): string => readFileSync(new URL(`./${name}`, import.meta.url), 'utf8');
