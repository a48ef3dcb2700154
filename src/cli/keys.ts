/** `package-r keys`: the key under which packageR signs temporary URLs of its own, for sources without a store that signs. */
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { say } from '#cli/show.ts';

export function addKeys(program: Command, context: CliContext): void {
  const keys = program.command('keys').description('the key that signs packageR’s own temporary URLs (administrators)');
  keys
    .command('rotate')
    .description('sign with a new key; URLs that are out end by themselves, or with --now at once')
    .option('--now', 'end every temporary URL that packageR signed; those of a bucket are not touched')
    .action(async ({ now = false }: { now?: boolean }) => {
      await (await context.client()).post('api/v1/keys/rotate', { now });
      say(context, now ? 'A new key signs. Every temporary URL that packageR signed has ended.' : 'A new key signs.');
    });
}
