/** `package-r backup NAME`: a consistent copy of the state, while work goes on. */
import type { Command } from 'commander';
import type { BackupDone } from '#api/system.ts';
import type { CliContext } from '#cli/context.ts';
import { say, show } from '#cli/show.ts';
import { writeSize } from '#cli/terminal.ts';

export function addBackup(program: Command, context: CliContext): void {
  program
    .command('backup <name>')
    .description('copy the state, verified, to backups/NAME in the data folder; credentials stay sealed, and the key is not in it')
    .action(async (name: string) => {
      const answer = await (await context.client()).post<BackupDone>('api/v1/backup', { name });
      if (context.isJson) show(context, answer);
      say(
        context,
        `Backed up to ${answer.path} (${writeSize(answer.bytes)}). Keep the key of the data folder elsewhere: without it sealed credentials must be entered again.`,
      );
    });
}
