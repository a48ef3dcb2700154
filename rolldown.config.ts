/**
 * One file for the program and one for the writer's thread: loading a thousand modules would cost half of the start-up time and a third of
 * the memory (docs/decisions/0002).
 */
import { defineConfig } from 'rolldown';

export default defineConfig({
  input: { main: 'src/main.ts', writer: 'src/state/sqlite/writer.ts' },
  platform: 'node',
  output: { dir: 'dist', format: 'esm', minify: true, keepNames: true, entryFileNames: '[name].js' },
});
