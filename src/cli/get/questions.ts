/** What a link may ask of the person who opens it, at the terminal or by options; and the token that may be sent to it. */
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { readLogins } from '#cli/logins.ts';
import { confirm, printable, readSecret } from '#cli/terminal.ts';
import { Secret } from '#model/secret.ts';
import type { LinkQuestions } from './share-link.ts';

export interface QuestionOptions {
  readonly password?: string;
  readonly acceptTerms?: true;
}

export function addQuestions(command: Command): Command {
  return command
    .option('--password <->', 'read the password of the share from stdin')
    .option('--accept-terms', 'accept the terms of the share without being asked');
}

/** A password from stdin is tried once, for each link that asks; at a terminal one may try again. */
export function questionsOf({ terminal }: CliContext, options: QuestionOptions): LinkQuestions {
  let given: Promise<Secret> | undefined;
  return {
    async password(wrong) {
      if (wrong) {
        if (options.password !== undefined) return undefined;
        terminal.stderr.write('The password is wrong.\n');
      }
      if (options.password === undefined) return await readSecret(terminal, undefined, 'Password of the share: ');
      given ??= readSecret(terminal, options.password, '');
      return await given;
    },
    async accept(terms) {
      if (options.acceptTerms === true) return true;
      terminal.stderr.write(`The owner asks you to accept these terms:\n\n${terms.split('\n').map(printable).join('\n')}\n\n`);
      return await confirm(terminal, 'Do you accept them?', false);
    },
  };
}

/**
 * The token of `login` for exactly this server; else the one of the environment, where that names this server (PACKAGE_R_URL, --server). With
 * no server named, a `/p/` link that the person wrote gets it too, since it needs one; the link of a share, which may be anybody's, does not.
 * What a file names is never sent a token that was not made for it.
 */
export function tokenFor(context: CliContext, server: string | undefined, isTyped: boolean): (base: URL) => Secret | undefined {
  return (base) => {
    const named = server ?? context.env['PACKAGE_R_URL'];
    const given = context.env['PACKAGE_R_TOKEN'];
    const isOwn = isTyped && /\/p\/[^/]+\/[^/]+\/$/.test(base.pathname);
    const isNamed = named === undefined ? isOwn : URL.canParse(named) && new URL(named).origin === base.origin;
    if (given !== undefined && given !== '' && isNamed) return Secret.parse(given);
    const login = Object.entries(readLogins(context.env)).find(([known]) => base.href.startsWith(known));
    return login === undefined ? undefined : Secret.parse(login[1].token);
  };
}
