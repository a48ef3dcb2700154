/** `package-r config`: what is set, and by whom. */
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { showList } from '#cli/show.ts';
import { catConfig } from '#config/config.ts';

export function addConfig(program: Command, context: CliContext): void {
  const config = program.command('config').description('settings');
  config
    .command('cat')
    .description('each setting, its value, and where the value comes from')
    .option('--changed', 'only those that are not at their default')
    .action(async ({ changed }: { changed?: true }) => {
      const rows = catConfig(await context.loadConfig()).filter((row) => changed !== true || row.origin !== 'default');
      await showList(context, rows, {
        setting: (row) => row.key,
        value: (row) => (typeof row.value === 'string' ? row.value : JSON.stringify(row.value)),
        from: (row) => row.origin,
      });
    });
}
