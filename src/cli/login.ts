/** `package-r login URL`: signs in and keeps an API token for later runs; `logout` forgets and revokes it. */
import type { Command } from 'commander';
import type { CreatedToken, SignedIn } from '#api/access.ts';
import type { CliContext } from '#cli/context.ts';
import { readLogins, writeLogins } from '#cli/logins.ts';
import { parseSeconds } from '#cli/options.ts';
import { say } from '#cli/show.ts';
import { readSecret } from '#cli/terminal.ts';
import { apiPath, Client } from '#client/client.ts';
import { PackageRError } from '#errors/error.ts';
import { actions } from '#model/actor.ts';

interface LoginOptions {
  readonly user: string;
  readonly password?: string;
  readonly expires: number;
}

export function addLogin(program: Command, context: CliContext): void {
  program
    .command('login <url>')
    .description('sign in at a server and keep a token for later runs')
    .option('-u, --user <name>', 'name of the user', 'admin')
    .option('--password <->', 'read the password from stdin')
    .option('--expires <duration>', 'life of the token', parseSeconds, 90 * 86_400)
    .action(async (text: string, options: LoginOptions) => {
      const base = parseServer(text);
      const password = await readSecret(context.terminal, options.password, `Password of ${options.user}: `);
      const stranger = new Client({ base, signal: context.signal });
      const session = await stranger.post<SignedIn>('api/v1/login', { name: options.user, password: password.reveal() });
      const client = new Client({ base, token: session.token, signal: context.signal });
      const name = `login ${new Date().toISOString().slice(0, 16)}`;
      const { token, details } = await client.post<CreatedToken>('api/v1/tokens', { name, actions, expiresIn: options.expires });
      await client.post('api/v1/logout');
      writeLogins(context.env, { ...readLogins(context.env), [base.href]: { user: options.user, id: details.id, token } });
      say(context, `Signed in at ${base.href} as ${options.user}. Later runs: package-r --server ${base.href} …`);
    });
  program
    .command('logout <url>')
    .description('revoke and forget the token of a server')
    .action(async (text: string) => {
      const base = parseServer(text);
      const { [base.href]: login, ...others } = readLogins(context.env);
      if (login === undefined) throw new PackageRError('not_found', `There is no login for ${base.href}.`);
      const client = new Client({ base, token: login.token, signal: context.signal });
      await client.delete(apiPath`api/v1/tokens/${login.id}`).catch(() => undefined);
      writeLogins(context.env, others);
      say(context, `Signed out of ${base.href}.`);
    });
}

/** Errors: argument_invalid. A password must not cross a network in the clear: plain HTTP is for this machine only. */
function parseServer(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new PackageRError('argument_invalid', `${JSON.stringify(text)} is no URL of a server.`);
  if (url.protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)) {
    throw new PackageRError('argument_invalid', 'A password is sent over https only, but for servers on this machine.');
  }
  return new URL(url.pathname.endsWith('/') ? url.pathname : `${url.pathname}/`, url.origin);
}
