/**
 * The entry: one command line in, an exit code out. What a server needs is loaded by the verbs that open a data folder; `get` and the like
 * stay small.
 */
import { runCli } from '#cli/run.ts';

async function main(): Promise<void> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      stop.abort();
      // A second one ends at once.
      process.once(name, () => process.exit(130));
    });
  }
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });
  const { stdin, stdout, stderr, env, argv } = process;
  process.exitCode = await runCli({
    argv: argv.slice(2),
    env,
    cwd: process.cwd(),
    terminal: { stdin, stdout, stderr },
    signal: stop.signal,
    // One command is no server: only what went wrong is said.
    openLocal: async (loaded) => (await import('./app.ts')).openApp(loaded, 'warn'),
    serve: async (...given) => (await import('./app.ts')).serve(...given),
    copyState: async (...given) => (await import('./copy-state.ts')).copyState(...given),
    restore: async (...given) => (await import('./restore.ts')).restore(...given),
    verifyFile: async function* verify(...given) {
      yield* (await import('./restore.ts')).verifyFile(...given);
    },
  });
}

await main();
