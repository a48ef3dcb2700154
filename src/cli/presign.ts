/** `package-r presign`: a temporary URL for one object of a source, for the person who runs it. Entries of links: `exchange`. */
import type { Command } from 'commander';
import type { Presigned } from '#api/sources.ts';
import type { CliContext } from '#cli/context.ts';
import { parseSeconds } from '#cli/options.ts';
import { splitSourcePath } from '#cli/places.ts';
import { show, writeTime } from '#cli/show.ts';
import { apiPath } from '#client/client.ts';

export function addPresign(program: Command, context: CliContext): void {
  program
    .command('presign <source/path>')
    .summary('a temporary URL for an object')
    .description('Prints a temporary URL for one object. Whoever has it can read that object until it ends; it cannot be called back.')
    .option('--head', 'sign for HEAD instead of GET')
    .option('--expires <duration>', 'life: 15m, 1h', parseSeconds)
    .action(async (place: string, { head, expires }: { head?: true; expires?: number }) => {
      const [source, path] = splitSourcePath(place);
      const query = { method: head === true ? 'HEAD' : undefined, expires };
      const answer = await (await context.client()).call<Presigned>('POST', apiPath`api/v1/sources/${source}/presign/${path}`, {
        query,
        json: {},
      });
      if (context.isJson) return show(context, answer);
      context.print(`${answer.url}\n`);
      const headers = Object.entries(answer.headers).map(([name, value]) => `, with ${name}: ${value}`);
      if (!context.isQuiet) context.terminal.stderr.write(`${answer.method}${headers.join('')}; ends ${writeTime(answer.expiresAt)}\n`);
    });
}
