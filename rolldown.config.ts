/**
 * One file for the program and one for each of its threads: loading a thousand modules would cost half of the start-up time and a third of
 * the memory (docs/decisions/0002).
 */
import { defineConfig } from 'rolldown';

export default defineConfig({
  input: {
    main: 'src/main.ts',
    writer: 'src/state/sqlite/writer.ts',
    integrity: 'src/state/sqlite/integrity.ts',
    thread: 'src/packages/thread.ts',
    'search-build': 'src/packages/search/build-thread.ts',
  },
  platform: 'node',
  output: { dir: 'dist', format: 'esm', minify: true, keepNames: true, entryFileNames: '[name].js' },
});
