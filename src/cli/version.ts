/** `package-r version`. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { show } from '#cli/show.ts';

export function addVersion(program: Command, context: CliContext): void {
  program
    .command('version')
    .description('versions of packageR and of what runs it')
    .action(() => {
      const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
      show(context, {
        'package-r': version,
        node: process.version,
        sqlite: process.versions['sqlite'],
        platform: `${process.platform}-${process.arch}`,
      });
    });
}
