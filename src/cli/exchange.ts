/** `package-r exchange LINK`: stable URLs, paths or pointer files in, temporary URLs out, a JSON object a line. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { sendHop } from '#cli/get/http.ts';
import { answerFault, ShareLink } from '#cli/get/share-link.ts';
import { parseSeconds } from '#cli/options.ts';
import { readStdin } from '#cli/terminal.ts';

export function addExchange(program: Command, context: CliContext): void {
  program
    .command('exchange <link> [path...]')
    .summary('pointers in, temporary URLs out')
    .description(
      'Exchanges entries of a link for temporary URLs: paths, .pointer files on this disk (ending in “.pointer”), or with “-” one of either form a line on stdin.',
    )
    .option('--expires <duration>', 'life: 15m, 1h', parseSeconds)
    .action(async (text: string, paths: string[], { expires }: { expires?: number }) => {
      const link = ShareLink.parse(text, { token: context.token(), signal: context.signal });
      const names = paths.includes('-') ? (await readStdin(context.terminal, 64 * 1024 * 1024)).toString().split('\n') : paths;
      const lines = await Promise.all(names.filter((name) => name !== '' && name !== '-').map(toLine));
      const url = link.exchangeUrl;
      if (expires !== undefined) url.searchParams.set('expires', String(expires));
      const headers = { ...link.headers, 'content-type': 'application/x-ndjson' };
      const hop = await sendHop({ method: 'POST', url, headers, body: `${lines.join('\n')}\n`, signal: context.signal });
      if (hop.status !== 200) throw await answerFault(hop);
      for await (const chunk of hop.body) context.terminal.stdout.write(chunk as Buffer);
    });
}

async function toLine(name: string): Promise<string> {
  const isFile = name.endsWith('.pointer');
  return JSON.stringify(isFile ? { pointer: await readFile(name, 'utf8') } : name);
}
