/** `package-r state`: where packageR keeps what it remembers. */
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { say } from '#cli/show.ts';

export function addState(program: Command, context: CliContext): void {
  const state = program.command('state').description('where packageR keeps what it remembers: SQLite in the data folder, or PostgreSQL');
  state
    .command('copy')
    .summary('copy the state from one engine to the other, verified')
    .description(
      'Copies the state while no server runs on it, all or nothing, into one that is empty; then every row is compared and every version recomputed. PLACE is sqlite (that of the data folder), postgres (that of PACKAGE_R_STATE), the path of a SQLite file such as a backup, or a postgres:// URL without a password. The key of the data folder stays where it is.',
    )
    .requiredOption('--from <place>', 'copy this state')
    .requiredOption('--to <place>', 'to this one')
    .action(async ({ from, to }: { readonly from: string; readonly to: string }) => {
      const { stderr } = context.terminal;
      const isLive = stderr.isTTY === true && !context.isQuiet && !context.isJson;
      const tell = (text: string): void => void (isLive && stderr.write(`\r\u001b[K${text}`));
      const copied = await context
        .copyState(await context.loadConfig(), {
          from,
          to,
          onProgress: (table, rows) => tell(`${table}: ${rows} rows`),
          onVersion: (done, total) => tell(`verified ${done} of ${total} versions`),
        })
        .finally(() => tell(''));
      if (context.isJson) context.json(copied);
      const rows = copied.tables.reduce((sum, table) => sum + table.rows, 0);
      say(
        context,
        `Copied ${rows} rows of ${copied.tables.length} tables; ${copied.versions} versions match their digests. ${copied.digest}`,
      );
    });
}
