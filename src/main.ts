/**
 * The entry: one command line in, an exit code out. What a server needs is loaded by the verbs that open a data folder; `get` and the like
 * stay small.
 */
import { runCli } from '#cli/run.ts';

async function main(): Promise<void> {
  const stop = new AbortController();
  let asked: number | undefined;
  const end = (): void => {
    asked ??= performance.now();
    stop.abort();
    // Asked again, it ends at once. One Ctrl-C may come twice: from the terminal, and from whatever started this and hands it on.
    if (performance.now() - asked > 1000) process.exit(130);
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, end);
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
