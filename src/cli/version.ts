/** `package-r version`. */
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { show } from '#cli/show.ts';
import manifest from '#package.json' with { type: 'json' };

export function addVersion(program: Command, context: CliContext): void {
  program
    .command('version')
    .description('versions of packageR and of what runs it')
    .action(() => {
      show(context, {
        'package-r': manifest.version,
        node: process.version,
        sqlite: process.versions['sqlite'],
        platform: `${process.platform}-${process.arch}`,
      });
    });
}
