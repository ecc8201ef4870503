import { defineConfig } from 'vite';

/** With these a page has shared memory, and so threads; without them everything works on one thread. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  root: import.meta.dirname,
  server: { headers: isolation },
  preview: { headers: isolation },
  build: { target: 'es2022' },
});
