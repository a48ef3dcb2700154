/** `package-r shares`: links. */
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import type { Share } from '#api/shares.ts';
import type { CliContext } from '#cli/context.ts';
import { collect, parseInteger, parseSize, parseWhen } from '#cli/options.ts';
import { say, show, showList, writeTime } from '#cli/show.ts';
import { printable, readSecret } from '#cli/terminal.ts';
import { apiPath } from '#client/client.ts';

interface ShareOptions {
  readonly live?: true;
  readonly path?: string;
  readonly audience?: string;
  readonly password?: string;
  readonly user?: readonly string[];
  readonly group?: readonly string[];
  readonly rights?: 'view' | 'exchange';
  readonly expires?: string;
  readonly notBefore?: number;
  readonly maxObjects?: number;
  readonly maxBytes?: number;
  readonly terms?: string;
  readonly note?: string;
  readonly title?: string;
  readonly onDrift?: string;
}

export function addShares(program: Command, context: CliContext): void {
  const shares = program.command('shares').summary('links to packages and folders').description('Links: who may reach what, until when.');
  withSettings(shares.command('add <target>'))
    .description('make a link to namespace/name@3, namespace/name@latest, or with --live to source/folder')
    .option('--live', 'the target is a live folder of a source')
    .option('--path <folder>', 'only this folder or file of the target')
    .action(async (target: string, options: ShareOptions) => {
      const asked = {
        target: options.live === true ? `source:${target}` : target,
        path: options.path,
        ...(await settingsOf(context, options)),
      };
      const share = await (await context.client()).post<Share>('api/v1/shares', asked);
      if (context.isJson) context.json(share);
      else context.print(`${share.url}\n`);
      if (share.warning !== undefined) context.terminal.stderr.write(`${printable(share.warning)}\n`);
      say(context, `Share ${share.number}, ends ${share.expiresAt === undefined ? 'never' : writeTime(share.expiresAt)}.`);
    });
  shares
    .command('ls')
    .description('list your shares')
    .option('--all', 'those of everybody (administrators)')
    .action(async ({ all }: { all?: true }) => {
      const client = await context.client();
      await showList(context, client.pages<Share>('api/v1/shares', 'shares', { all }), {
        number: (one) => one.number,
        target: (one) => one.target ?? '(gone)',
        audience: (one) => one.audience,
        state: (one) => one.state,
        ends: (one) => writeTime(one.expiresAt),
        exchanged: (one) => one.exchanged,
        used: (one) => writeTime(one.usedAt),
        horizon: (one) => writeTime(one.horizonAt),
        url: (one) => one.url,
      });
    });
  shares
    .command('show <number>')
    .description('one share, with its revocation horizon')
    .action(async (number: string) => show(context, await (await context.client()).get(apiPath`api/v1/shares/${number}`)));
  withSettings(shares.command('update <number>'))
    .description('change a share; a new password or audience ends all tickets')
    .action(async (number: string, options: ShareOptions) =>
      show(context, await (await context.client()).patch(apiPath`api/v1/shares/${number}`, await settingsOf(context, options))),
    );
  const does = { pause: 'stop it for now', resume: 'let it work again', rotate: 'give it a new link; the old one is dead at once' };
  for (const [verb, what] of Object.entries(does)) {
    shares
      .command(`${verb} <number>`)
      .description(what)
      .action(async (number: string) => {
        const share = await (await context.client()).post<Share>(apiPath`api/v1/shares/${number}/${verb}`);
        if (context.isJson) context.json(share);
        else context.print(`${share.state}  ${share.url}\n`);
      });
  }
  shares
    .command('revoke <number>')
    .description('end it for ever')
    .action(async (number: string) => {
      const client = await context.client();
      await client.delete(apiPath`api/v1/shares/${number}`);
      const { horizonAt } = await client.get<Share>(apiPath`api/v1/shares/${number}`);
      const isOut = horizonAt !== undefined && Date.parse(horizonAt) > Date.now();
      say(
        context,
        isOut ? `Revoked. The last temporary URL that is out ends ${writeTime(horizonAt)}.` : 'Revoked; no temporary URL is out.',
      );
    });
}

function withSettings(command: Command): Command {
  return command
    .addOption(new Option('--audience <who>', 'who may open it').choices(['link', 'password', 'users', 'named']))
    .option('--password <->', 'read the password from stdin; with --audience password it is asked for')
    .option('--user <name>', 'with --audience named; repeat', collect)
    .option('--group <name>', 'with --audience named; repeat', collect)
    .addOption(new Option('--rights <what>', 'view: names only; exchange: the bytes too').choices(['view', 'exchange']))
    .option('--expires <when>', '30d, an instant, or never')
    .option('--not-before <when>', 'opens then', parseWhen)
    .option('--max-objects <n>', 'distinct objects per client in 24 hours', parseInteger(1, Number.MAX_SAFE_INTEGER))
    .option('--max-bytes <size>', 'bytes per client in 24 hours', parseSize)
    .option('--terms <file>', 'text to accept before the first download')
    .option('--note <text>', 'shown to whoever opens it')
    .option('--title <text>', 'shown to whoever opens it')
    .addOption(new Option('--on-drift <policy>', 'when an object has changed since').choices(['refuse', 'warn', 'follow']));
}

async function settingsOf(context: CliContext, options: ShareOptions): Promise<Record<string, unknown>> {
  const wantsPassword = options.password !== undefined || options.audience === 'password';
  const password = wantsPassword ? (await readSecret(context.terminal, options.password, 'Password of the share: ')).reveal() : undefined;
  const instant = (milliseconds: number | undefined): string | undefined =>
    milliseconds === undefined ? undefined : new Date(milliseconds).toISOString();
  return {
    audience:
      options.audience ?? (wantsPassword ? 'password' : options.user !== undefined || options.group !== undefined ? 'named' : undefined),
    password,
    users: options.user,
    groups: options.group,
    rights: options.rights === undefined ? undefined : options.rights === 'view' ? ['view'] : ['view', 'exchange'],
    expiresAt: options.expires === 'never' ? null : instant(options.expires === undefined ? undefined : parseWhen(options.expires)),
    notBefore: instant(options.notBefore),
    maxObjects: options.maxObjects,
    maxBytes: options.maxBytes,
    terms: options.terms === undefined ? undefined : readFileSync(options.terms, 'utf8'),
    note: options.note,
    title: options.title,
    onDrift: options.onDrift,
  };
}
